"""A reader's own mail that asks to be taken off, however their mail program wrote it.

List-Unsubscribe offers an address with a code of its own for each reader and newsletter, so the mail may
say what it likes. Issues that left before have the token in the subject. A bare "unsubscribe" is a wish
too: it is about the copy that it answers, or else about everything that its sender gets.
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
_MAC_OCTETS: Final = 10  # 80 bits
# 16 bytes of the reader, 4 of the newsletter and the code: with the prefix 60 of a local part's 64 characters.
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
    """What a mail asks to be taken off from, by the strongest proof in it; all texts are foreign and unchecked.

    `reader` and `newsletter_id` come from a genuine code; `token` is that of a link; `answered` are copies
    or letters whose Message-IDs, which only their readers have, the mail answers; `sender` is who wrote it.
    """

    taken_at: str
    reader: uuid.UUID | None = None
    newsletter_id: int = 0
    token: str = ""
    answered: tuple[uuid.UUID, ...] = ()
    sender: str = ""


def code(*, reader: uuid.UUID, newsletter_id: int) -> str:
    """The part of the address that names the subscription: 48 letters and digits whose case does not matter."""
    named = reader.bytes + newsletter_id.to_bytes(4, "big")
    return base64.b32encode(named + _mac(named, settings.SECRET_KEY)).decode().lower()


def read(raw: bytes, *, envelope_to: str = "") -> Wish | None:
    """What the mail asks for; None for one that asks for nothing of the kind. On failure: as the parsers do."""
    mail = mime.parse(raw)
    subject = mime.text(mail["Subject"])
    written = mime.taken_at(mail)
    if asked := _TOKEN.search("".join(subject.split())):
        return Wish(written or str(mail["Date"] or ""), token=asked[1])
    if not _is_of_a_person(mail):
        return None
    moment = written or str(mail["Date"] or "")
    for found in _codes_in("\n".join([envelope_to, *map(str, mail.values())])):
        if named := _read_code(found):
            return Wish(moment, reader=named[0], newsletter_id=named[1])
    if not _is_bare(subject, mail) or _is_forged(mail):
        return None
    answers = f"{mail['In-Reply-To'] or ''} {mail['References'] or ''}"
    answered = tuple(uuid.UUID(one) for one in _UUID.findall(answers)[-_MOST_NAMED:])
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
    return mac.digest()[:_MAC_OCTETS]


@functools.lru_cache(maxsize=8)
def _keyed(secret: str) -> hmac.HMAC:
    """As `return_paths._keyed`, for another purpose: no code is what a return path is signed with."""
    key = hashlib.sha256(f"newsroom.digests.returns.wishes:{secret}".encode()).digest()
    return hmac.new(key, digestmod=hashlib.sha256)


def _is_of_a_person(mail: Flat) -> bool:
    """Vacation answers and bounces go to this address too, and ask for nothing."""
    automatic = str(mail["Auto-Submitted"] or "no").strip().lower()
    bulk = str(mail["Precedence"] or "").strip().lower() in {"bulk", "junk", "list", "auto_reply"}
    answers = bool(mail["X-Autoreply"] or mail["X-Autorespond"] or mail["X-Failed-Recipients"])
    return automatic == "no" and not bulk and not answers and not prose.is_of_a_machine(mail, is_addressed=False)


def _is_bare(subject: str, mail: Flat) -> bool:
    """The word stands in the subject, or, where there is none, in the first line of the text."""
    said = " ".join(subject.split())
    if not said:
        lines = mime.prose(list(mime.leaves(mail)))[:500].split("\n")
        said = next((line.strip() for line in lines if line.strip()), "")
    return bool(_BARE.fullmatch(said[:200]))


def _is_forged(mail: Flat) -> bool:
    """Whether our own mail server found that the sender is not who it says."""
    return "dmarc=fail" in str(mail["Authentication-Results"] or "").lower().replace(" ", "")
