"""Unsubscribe by mail, whatever the reader's mail program writes.

List-Unsubscribe has an address with a code for each reader and newsletter, so the text of the mail does not
matter. Older issues have a token in the subject. A bare "unsubscribe" counts as well: it is about the copy that
it replies to, or else about every subscription of its sender.
"""

import base64
import binascii
import functools
import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from postal.notifications import mime, prose
from postal.notifications.mime import Flat

PREFIX: Final = "unsubscribe+"
_MAC_BYTES: Final = 10  # 80 bits
# 16 bytes of the reader, 4 of the newsletter and the MAC: with the prefix 60 of a local part's 64 characters.
_CODE: Final = re.compile(r"unsubscribe\+([a-z2-7]{48})(?![a-z0-9])", re.IGNORECASE)
_TOKEN: Final = re.compile(r"unsubscribe-([A-Za-z0-9_.-]{20,1024})")
_WORDS: Final = (
    r"unsubscribe|unsubscription|remove(?: me)?|opt[ -]?out|stop|abmelden|abmeldung|abbestellen|austragen|désabonner|"
    r"désabonnement|"
    r"(?:me |se )?d[ée]sinscri(?:re|ption)|darse de baja|dar de baja|baja|cancelar (?:la )?suscripci[óo]n|descadastrar|"
    r"cancelar (?:a )?(?:inscri[çc][ãa]o|assinatura)|annulla(?:re)? (?:l')?iscrizione|disiscri\w+|cancellami|"
    r"afmelden|uitschrijven|"
    r"wypisz|avregistrera|отписаться|отписать|отписка|отпишите|退订|退訂|取消订阅|取消訂閱|配信停止|購読解除|解除"
)
_ANSWER: Final = r"(?:(?:re|fwd?|aw|wg|tr|rv|sv|vs|antw|ответ|回复|返信)\s*(?:\[\d+\])?\s*[:\uff1a]\s*)*"
_BARE: Final = re.compile(
    rf"{_ANSWER}[\"'<\[(]*(?:please |bitte |por favor |s'il vous plaît )?(?:{_WORDS})"
    r"(?: me| mich| us| please| bitte| from .{1,100}| von .{1,100})*[\"'>\])]*[\s.!]*",
    re.IGNORECASE,
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to unsubscribe, with the strongest proof in the mail. All texts are untrusted.

    `reader` and `newsletter_id` come from a genuine code. `token` is that of a link. `answered` are copies or
    letters whose Message-IDs the mail replies to; only their readers know these. `sender` is who wrote it.
    """

    taken_at: str
    reader: uuid.UUID | None = None
    newsletter_id: int = 0
    token: str = ""
    answered: tuple[uuid.UUID, ...] = ()
    sender: str = ""


def code(*, reader: uuid.UUID, newsletter_id: int) -> str:
    """The part of the address that names the subscription: 48 case-insensitive letters and digits."""
    named = reader.bytes + newsletter_id.to_bytes(4, "big")
    return base64.b32encode(named + _mac(named, settings.SECRET_KEY)).decode().lower()


def read(raw: bytes, *, envelope_to: str = "") -> Wish | None:
    """The request in the mail; None if there is none. On failure: raises as the parsers do."""
    mail = mime.parse(raw)
    subject = mime.text(mail["Subject"])
    written = mime.taken_at(mail)
    if asked := _TOKEN.search("".join(subject.split())):
        return Wish(written or str(mail["Date"] or ""), token=asked[1])
    if not is_of_a_person(mail):
        return None
    moment = written or str(mail["Date"] or "")
    for text in _codes_in("\n".join([envelope_to, *map(str, mail.values())])):
        if named := _read_code(text):
            return Wish(moment, reader=named[0], newsletter_id=named[1])
    if not _is_bare(subject, mail) or _is_forged(mail):
        return None
    replied_to = f"{mail['In-Reply-To'] or ''} {mail['References'] or ''}"
    answered = tuple(uuid.UUID(one) for one in _UUID.findall(replied_to)[-_MOST_NAMED:])
    return Wish(moment, answered=answered, sender=mime.address(mime.text(mail["From"])))


def _codes_in(text: str) -> list[str]:
    return _CODE.findall(text)[:_MOST_NAMED]


def _read_code(text: str) -> tuple[uuid.UUID, int] | None:
    """The reader and the newsletter of a genuine code, signed with SECRET_KEY or one of its fallbacks."""
    try:
        raw = base64.b32decode(text.upper())
    except (binascii.Error, ValueError):
        return None
    named, mac = raw[:20], raw[20:]
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    genuine = [hmac.compare_digest(mac, _mac(named, key)) for key in keys]
    if not any(genuine):
        return None
    return uuid.UUID(bytes=named[:16]), int.from_bytes(named[16:], "big")


def _mac(named: bytes, secret: str) -> bytes:
    mac = _keyed(secret).copy()
    mac.update(named)
    return mac.digest()[:_MAC_BYTES]


@functools.lru_cache(maxsize=8)
def _keyed(secret: str) -> hmac.HMAC:
    """As `return_paths._keyed`, with another purpose: a code is never a valid return path."""
    key = hashlib.sha256(f"newsroom.digests.returns.wishes:{secret}".encode()).digest()
    return hmac.new(key, digestmod=hashlib.sha256)


def is_of_a_person(mail: Flat) -> bool:
    """Whether a person wrote it: automatic replies and bounces go to this address, too."""
    automatic = str(mail["Auto-Submitted"] or "no").strip().lower()
    bulk = str(mail["Precedence"] or "").strip().lower() in {"bulk", "junk", "list", "auto_reply"}
    automated = bool(mail["X-Autoreply"] or mail["X-Autorespond"] or mail["X-Failed-Recipients"])
    return automatic == "no" and not bulk and not automated and not prose.is_of_a_machine(mail, is_addressed=False)


def _is_bare(subject: str, mail: Flat) -> bool:
    """Whether the subject, or the first line of a mail without subject, is only the word."""
    line = " ".join(subject.split())
    if not line:
        lines = mime.prose(list(mime.leaves(mail)))[:500].split("\n")
        line = next((each.strip() for each in lines if each.strip()), "")
    return bool(_BARE.fullmatch(line[:200]))


def _is_forged(mail: Flat) -> bool:
    """Whether our own mail server found the sender address forged (DMARC)."""
    return "dmarc=fail" in str(mail["Authentication-Results"] or "").lower().replace(" ", "")
