"""Notices that servers write for people: who wrote them, what they say, and where the returned mail begins.

flufl.bounce knows some twenty dialects and finds their recipients; here is what it leaves open: a
dialect that nobody knows still says in words what happened, and `postal.verdicts` reads those.
"""

import re
from collections.abc import Sequence
from email import parser
from email.message import Message
from typing import Final

from flufl.bounce import all_failures

from postal.notifications import mime, reports
from postal.notifications.mime import Flat
from postal.notifications.reports import Fate, Kind
from postal.verdicts import Verdict

READ: Final = 32 * 1024
EXCERPT: Final = 1_500
_MOST_RECIPIENTS: Final = 60

_MACHINES: Final = re.compile(
    r"mailer[-_]?daemon|mail[-_]?daemon|^<?post_?master|\bpostmaster@|^mdaemon|^mmdf|^uucp|mail (?:delivery|deliver|"
    r"system|administrator)|"
    r"courier mail server|system administrator|systemadministrator|interscan|delivery subsystem|^bounces?@|"
    r"mail router|microsoft exchange",
    re.IGNORECASE,
)
# How notices are titled. A person who answers or forwards one begins with Re: or Fwd:.
_TITLES: Final = re.compile(
    r"^(?!(?:re|fwd?|aw|wg|tr|rv|sv|vs|antw|回复|转发)\s*[:\uff1a])(?:.*(?:undeliver|returned (?:mail|to sender)|"
    r"failure notice|rejected mail|"
    r"non-?deliver|not (?:be )?delivered|could not be (?:sent|delivered)|nicht (?:zugestellt|zustellbar)|"
    r"unzustellbar|non remis|"
    r"échec de (?:la )?(?:remise|distribution|livraison)|no se (?:ha )?p(?:udo|odido) entregar|no entregado|devuelto|"
    r"não (?:foi )?entregue|"
    r"mancato recapito|не ?доставлен|недоставлен|возвращ|退信|不能投递|无法投递|無法投遞|投递失败|配信できません|"
    r"配信不能|メールエラー|送信エラー|エラーメール)|"
    r".*(?:mail|message|delivery)\b.*\b(?:fail|error|problem|returned|status notification|report)|.*delivery status)",
    re.IGNORECASE | re.DOTALL,
)
# How they begin, whatever they are titled.
_BEGINNINGS: Final = re.compile(
    r"^.{0,250}(?:your (?:message|mail|e-?mail)(?: \S+){0,6} (?:could not|was not|cannot|can't|"
    r"has not) be(?:en)? (?:delivered|sent)|"
    r"votre (?:message|courriel) n'a pas pu|(?:ihre|die) (?:nachricht|e-?mail) konnte nicht|"
    r"no se (?:ha )?pudo entregar|"
    r"did not reach the following recipient|undeliverable (?:mail|message))",
    re.IGNORECASE,
)
# Written by a program, and no notice of what became of mail.
_AUTOMATIC: Final = re.compile(
    r"out of (?:the )?office|auto(?:matic|mated)?[- ]?(?:re(?:ply|sponse)|answer|responder)|vacation|on (?:leave|"
    r"holiday)|abwesen|"
    r"automatische antwort|réponse automatique|absen(?:t|ce)|respuesta automática|resposta automática|"
    r"risposta automatica|"
    r"автоответ|自动回复|自動回覆|自動応答|自動返信|不在",
    re.IGNORECASE,
)
_SUCCESS: Final = re.compile(
    r"success(?:ful|fully)?\b|^delivered:|^read:|read receipt|return receipt|delivery receipt|was (?:displayed|read)",
    re.IGNORECASE,
)
_WAITING: Final = re.compile(
    r"(?:has|have|was|could) not (?:yet )?been (?:yet )?delivered (?:yet|so far)|not yet been delivered|"
    r"will (?:continue|keep|be retried|"
    r"retry|try again|be tried)|still (?:trying|being tried|in the queue)|no action is required on your part|"
    r"warning message|"
    r"you do(?: not|n't) need to (?:resend|do anything)|delivery (?:is|has been|was) delayed|has been delayed|"
    r"this is a warning|"
    r"wird weiterhin versucht|noch nicht zugestellt|pas encore été|aún no se ha|ainda não foi|ещё не|еще не|配信が遅延",
    re.IGNORECASE,
)
_FOR_GOOD: Final = re.compile(
    r"permanent|fatal|given up|giv(?:e|ing) up|could not be delivered|unable to deliver|undeliverable|failed\b|bounc|"
    r"returned to",
    re.IGNORECASE,
)
# Where the notice ends and the returned mail begins: a line that says so, or the mail's own first header.
_COPY_BEGINS: Final = re.compile(
    r"^[^\n]{0,40}(?:copy of (?:the|your|my) ?(?:\w+ )?(?:message|body|mail|e-?mail|headers?)|"
    r"(?<!the )original (?:message|mail|headers?)(?! was)|"
    r"(?:returned|unsent|undelivered|undeliverable) (?:message|mail)\b[^\n]{0,20}(?:-|follow|:)|(?:message|mail|"
    r"its) (?:headers?|text|"
    r"contents?|body) (?:follow|below|of)|headers? of the (?:original|message)|kopie (?:der|ihrer) (?:nachricht|"
    r"e-?mail)|"
    r"copie (?:du|de votre) message|copia del mensaje|cópia da mensagem|mensaje original|mensagem original|"
    r"message d'origine|"
    r"ursprüngliche nachricht|исходно\w+ (?:письм|сообщен)|копия (?:письма|сообщения)|原始邮件|原邮件|元のメール|"
    r"元のメッセージ|original message)"
    r"|^(?:Received|Return-Path|DKIM-Signature|X-Originating-IP|Message-ID|MIME-Version|Delivered-To):(?=[ \t]|\S)",
    re.IGNORECASE | re.MULTILINE,
)
_RECEIVED_AT: Final = re.compile(r"original message was (?:received|sent)", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+=~&'#$!/-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_HOUSE: Final = re.compile(
    r"^(?:post_?master|mailer-?daemon|mail-?daemon|support|help(?:desk)?|abuse|admin(?:istrator)?|bounces?\+)",
    re.IGNORECASE,
)
# Of a sentence that only says whom the mail was from.
_FROM_LINE: Final = re.compile(
    r"^[ \t>]*(?:from|sender|von|de|subject|original sender|reply-to)[ \t]*:.*$", re.IGNORECASE | re.MULTILINE
)


def is_of_a_machine(mail: Flat, *, is_addressed: bool) -> bool:
    """Whether a program that carries mail wrote this: a person who quotes a bounce has not bounced.

    `is_addressed`: it came to the return path of a copy, which no person is shown.
    """
    subject, name = mime.text(mail["Subject"]).strip(), mime.text(mail["From"]).strip()
    sender = mime.address(name)
    if _AUTOMATIC.search(subject) or mail["X-Autoreply"] or mail["X-Autorespond"] or mail["X-Auto-Response-From"]:
        return False
    if mail["X-Failed-Recipients"] or mail.get_param("report-type", "") == "delivery-status":
        return True
    if _MACHINES.search(name) or _MACHINES.search(sender) or sender in {"", "<>"}:
        return True
    begins = " ".join(mime.prose(list(mime.leaves(mail)))[:600].split())
    if is_addressed and not mail["In-Reply-To"] and _BEGINNINGS.search(begins):
        return True
    is_from_nobody = str(mail["Return-Path"] or "").strip() == "<>"
    return bool((is_addressed or is_from_nobody) and not mail["In-Reply-To"] and _TITLES.match(subject))


def fates(mail: Flat, parts: Sequence[Flat], raw: bytes, *, is_addressed: bool) -> list[Fate]:
    """What a notice in prose says of its recipients; empty where that is nothing. On failure: reports.PassedOn.

    Before: a machine wrote it. A notice that `is_addressed` to a copy's own path is about that copy
    even if none of its words is understood.
    """
    text = notice(mime.prose(parts))
    if _SUCCESS.search(mime.text(mail["Subject"])):
        return []
    reported = reports.read(text)
    if reported:
        return reported
    temporary, permanent = _known_dialects(raw)
    named = f"{text} {mail['X-Failed-Recipients'] or ''}".lower()
    dialect = (one.decode("ascii", "replace") for one in sorted(permanent or temporary))
    # What a dialect's reader took from the mail that came back is nobody of whom the notice tells.
    recipients = tuple(one for one in dialect if one.lower() in named)[:_MOST_RECIPIENTS]
    kind = Kind.DELAYED if not permanent and (temporary or _is_waiting(text, recipients)) else Kind.FAILED
    of_each = _of_each(text, kind, recipients)
    if any(fate.judgement.verdict is not Verdict.UNKNOWN for fate in of_each):
        return of_each
    # What counts may come before the address, or in the subject alone.
    words = f"{mime.text(mail['Subject'])}\n{text[:EXCERPT]}"
    whole = Fate(kind, words, recipients=recipients or _recipients(text))
    return [whole] if recipients or is_addressed or whole.judgement.verdict is not Verdict.UNKNOWN else []


def _of_each(text: str, kind: Kind, recipients: Sequence[str]) -> list[Fate]:
    """A fate for each recipient, with what is between its name and the next one's."""
    lower = text.lower()
    places = sorted((at, one) for one in recipients if (at := lower.find(one.lower())) >= 0)
    if not places:
        return [Fate(kind, text[:EXCERPT], recipients=tuple(recipients) or _recipients(text))]
    ends = [*(at for at, _ in places[1:]), len(text)]
    return [
        Fate(kind, " ".join(text[at : min(end, at + 2 * EXCERPT)].split())[:EXCERPT], recipients=(one,))
        for (at, one), end in zip(places, ends, strict=True)
    ]


def _is_waiting(text: str, recipients: Sequence[str]) -> bool:
    """Whether somebody still tries."""
    return bool(_WAITING.search(text)) and not _FOR_GOOD.search(excerpt(text, recipients) or text)


def notice(text: str) -> str:
    """The text without the mail that it returns."""
    for copy in _COPY_BEGINS.finditer(text[:READ]):
        line = text[copy.start() : copy.end() + 40]
        if copy.start() and not _RECEIVED_AT.search(line):
            return text[: copy.start()]
    return text[:READ]


def excerpt(text: str, recipients: Sequence[str]) -> str:
    """What is written of the address, from its first mention on."""
    starts = [at for one in recipients if (at := text.lower().find(one.lower())) >= 0]
    if recipients and not starts:
        return ""  # it speaks of somebody else, or of nobody
    begin = min(starts, default=0)
    return " ".join(text[begin : begin + 2 * EXCERPT].split())[:EXCERPT]


def _known_dialects(raw: bytes) -> tuple[set[bytes], set[bytes]]:
    mail: Message = parser.BytesParser(policy=mime.ShortHeaders()).parsebytes(raw[:READ])
    temporary, permanent = all_failures(mail)
    return set(temporary), set(permanent)


def _recipients(text: str) -> tuple[str, ...]:
    """Every address of which the notice may speak."""
    addresses = _ADDRESS.findall(_FROM_LINE.sub("", text))
    return tuple(dict.fromkeys(one for one in addresses if not _HOUSE.match(one)))[:_MOST_RECIPIENTS]
