"""Which column is which, in the exports of the field's tools and in their languages.

Names and values are compared without case, and marks between words count as blanks.
"""

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.dateparse import parse_date, parse_datetime

FOLDED = re.compile(r"[\s_.:?*\-]+")
EMPTY = frozenset({"", "null", "none", "nil", "n/a", "0000 00 00", "0000 00 00 00 00 00"})
LOOKS_LIKE_TIME = re.compile(r"\d{1,4}[ ./]\d{1,2}[ ./]\d{1,4}\b.*|\d{10}|\d{13}|\w+ \d{1,2},? \d{4}.*")

ADDRESS = frozenset({
    "email", "e mail", "mail", "email address", "e mail address", "emailaddress", "subscriber email",
    "contact email", "email id", "e mail adresse", "email adresse", "emailadresse", "mailadresse", "mail adresse",
    "deine e mail adresse", "ihre e mail adresse", "адрес электронной почты", "электронная почта",
    "электронный адрес", "эл почта", "почта", "имейл", "e mail адрес", "email адрес", "adresse e mail", "adresse email",
    "adresse électronique", "adresse de courriel", "courriel", "votre adresse e mail", "correo", "correo electrónico",
    "correo electronico", "dirección de correo electrónico", "direccion de correo electronico", "dirección de correo",
    "indirizzo email", "indirizzo e mail", "endereço de e mail", "endereço de email", "e mailadres", "emailadres",
    "adres e mail", "adres email", "e posta", "e posta adresi", "e postadress", "e postadresse", "электрондук почта",
})  # fmt: skip
# Columns that hold an address of another kind where there is a better one.
PERHAPS_ADDRESS = frozenset({"address", "adresse", "адрес", "contact", "mailbox"})
HAS_MAIL = re.compile(r".*\be ?mails?\b.*|.*\b(?:courriel|correo)\b.*")
FULL_NAME = frozenset({
    "name", "full name", "fullname", "display name", "subscriber name", "contact name", "vollständiger name",
    "имя и фамилия", "фио", "полное имя", "nom complet", "nom et prénom", "nombre completo", "nome completo",
})  # fmt: skip
FIRST_NAME = frozenset({
    "first name", "firstname", "fname", "given name", "forename", "vorname", "имя", "prénom", "prenom", "nombre",
    "nome", "voornaam", "аты",
})  # fmt: skip
LAST_NAME = frozenset({
    "last name", "lastname", "lname", "surname", "family name", "nachname", "familienname", "фамилия", "nom",
    "nom de famille", "apellido", "apellidos", "cognome", "sobrenome", "achternaam", "фамилиясы",
})  # fmt: skip


class Answer(enum.Enum):
    """What a file says of one reader: a yes, or the kind of its no."""

    YES = "is subscribed"
    LEFT = "has unsubscribed"
    NEVER = "never confirmed, or is not said to be subscribed"
    BOUNCED = "could not be reached; the mailbox bounced"
    COMPLAINED = "complained about a mail"
    BLOCKED = "was blocked"
    DELETED = "was deleted, or asked to be"


def _words(answer: Answer, text: str) -> dict[str, Answer]:
    return {word.strip(): answer for word in text.split(",")}


STATUS_WORDS: Mapping[str, Answer] = (
    _words(
        Answer.YES,
        "subscribed, active, enabled, confirmed, regular, premium, gifted, trialed, churning, past due, free, paid, "
        "comp, gift, ios app, founding, opted in, opt in, optin, express, explicit, single opt in, double opt in, "
        "verified, registered, true, yes, y, 1, "
        "abonniert, aktiv, angemeldet, bestätigt, ja, подписан, подписана, подписчик, активен, активна, активный, "
        "подтверждён, подтвержден, да, abonné, abonnée, actif, inscrit, inscrite, confirmé, oui, suscrito, suscrita, "
        "activo, activa, confirmado, sí, si, iscritto, attivo, inscrito, ativo, ingeschreven, actief",
    )
    | _words(
        Answer.LEFT,
        "unsubscribed, unsubscribe, opted out, opt out, optout, left, inactive, cancelled, canceled, removed, "
        "disabled, revoked, withdrawn, paused, churned, former, no email, do not email, "
        "abgemeldet, inaktiv, ausgetragen, abbestellt, отписан, отписана, отписался, отписалась, отказался, неактивен, "
        "désabonné, désabonnée, désinscrit, désinscrite, inactif, baja, dado de baja, desuscrito, cancelado, inactivo, "
        "disiscritto, descadastrado, uitgeschreven",
    )
    | _words(
        Answer.NEVER,
        "pending, unconfirmed, unactivated, not activated, nonsubscribed, non subscribed, not subscribed, "
        "never subscribed, unverified, awaiting confirmation, waiting, waiting for confirmation, invited, implied, "
        "transactional, not set, temp hold, no opt in, non marketing, false, no, n, 0, "
        "unbestätigt, ausstehend, nicht bestätigt, nein, ожидает, ожидает подтверждения, не подтверждён, "
        "не подтвержден, не подписан, нет, en attente, non confirmé, non abonné, non, pendiente, sin confirmar, "
        "no suscrito, in attesa, pendente, in afwachting",
    )
    | _words(
        Answer.BOUNCED,
        "cleaned, bounced, bounce, hard bounce, hard bounced, hardbounced, soft bounce, soft bounced, undeliverable, "
        "undelivered, unreachable, invalid, dead, bereinigt, unzustellbar, недоставлено, недействителен, nettoyé, "
        "non distribuable, rebotado, inválido",
    )
    | _words(
        Answer.COMPLAINED,
        "complained, complaint, spam, spammy, junk, abuse, spam complaint, marked as spam, reported spam, "
        "beschwerde, жалоба, plainte, queja",
    )
    | _words(
        Answer.BLOCKED,
        "blocked, blocklisted, blacklisted, banned, suppressed, suspended, upstream blocked, gesperrt, blockiert, "
        "заблокирован, в чёрном списке, bloqué, bloqueado",
    )
    | _words(Answer.DELETED, "deleted, erased, forgotten, archived, gelöscht, удалён, удален, supprimé, eliminado")
)
TRUE = frozenset({
    "true", "yes", "y", "1", "on", "x", "t", "subscribed", "ja", "wahr", "да", "oui", "vrai", "sí", "si", "verdadero",
})  # fmt: skip
FALSE = frozenset({
    "false", "no", "n", "0", "off", "f", "never", "unsubscribed", "not subscribed", "nein", "falsch", "нет", "non",
    "faux", "falso",
})  # fmt: skip

# Columns whose value is a word of STATUS_WORDS; an empty cell is no yes.
STATUS = frozenset({
    "status", "subscriber status", "subscription status", "email status", "member status", "list status",
    "contact status", "marketing status", "email marketing status", "email permission status", "permission status",
    "consent status", "email marketing consent", "subscriber type", "statusname", "abo status", "anmeldestatus",
    "статус", "статус подписки", "состояние", "statut", "état", "estado", "estado de suscripción", "stato", "situação",
})  # fmt: skip
# Names that mean a status in some tools only: they count where a value of theirs is a word of STATUS_WORDS.
PERHAPS_STATUS = frozenset({"type", "state", "subscription", "kind", "audience status"})
# Columns that are true for readers who may be mailed.
YES_IF_TRUE = frozenset({
    "subscribed", "is subscribed", "subscribed to emails", "opt in", "opted in", "optin", "email opt in", "active",
    "is active", "enabled", "confirmed", "is confirmed", "verified", "accepts marketing", "accepts email marketing",
    "marketing consent", "consent", "consent given", "receives emails", "can email", "abonniert", "aktiv", "bestätigt",
    "подписан", "подписка", "согласие", "abonné", "inscrit", "consentement", "suscrito", "consentimiento",
})  # fmt: skip
# Columns that are filled for readers who confirmed.
YES_IF_FILLED = frozenset(
    {"confirmed at", "confirmation date", "confirmed on", "date confirmed", "doi date", "verified at"}
)
# Columns that are true for readers who may not be mailed.
NO_IF_TRUE: Mapping[str, Answer] = {
    **dict.fromkeys(
        ("email disabled", "unsubscribed", "is unsubscribed", "opted out", "opt out", "optout", "opted out of email",
         "unsubscribed from all email", "do not email", "no emails", "has left", "abgemeldet", "отписан", "отписался",
         "désabonné", "désinscrit", "baja"), Answer.LEFT,
    ),
    **dict.fromkeys(
        ("blocked", "is blocked", "blacklisted", "blocklisted", "email blacklisted", "email blocklisted", "banned",
         "suppressed", "suppress email", "gesperrt", "заблокирован"), Answer.BLOCKED,
    ),
    **dict.fromkeys(("bounced", "hard bounced", "is bounced", "undeliverable", "cleaned"), Answer.BOUNCED),
    **dict.fromkeys(("complained", "spam", "marked as spam", "spam complaint"), Answer.COMPLAINED),
    **dict.fromkeys(("deleted", "is deleted", "gelöscht", "удалён", "удален"), Answer.DELETED),
}  # fmt: skip
# Columns with a time at which a reader stopped being one; empty for all others.
NO_IF_FILLED: Mapping[str, Answer] = {
    **dict.fromkeys(
        ("unsubscribed at", "unsubscribed on", "unsubscribe date", "unsubscribed date", "unsubscription date",
         "date unsubscribed", "unsubscribe time", "opt out time", "optout time", "opt out date", "opted out at",
         "left at", "abgemeldet am", "abmeldedatum", "austragungsdatum", "дата отписки", "date de désinscription",
         "désabonné le", "fecha de baja"), Answer.LEFT,
    ),
    **dict.fromkeys(("deleted at", "deletion date", "date deleted", "erased at", "gelöscht am"), Answer.DELETED),
    **dict.fromkeys(("bounced at", "bounce date", "date bounced", "cleaned at", "undeliverable at"), Answer.BOUNCED),
    **dict.fromkeys(("complained at", "complaint date", "spam at", "marked spam at"), Answer.COMPLAINED),
    **dict.fromkeys(("blocked at", "blocklisted at", "blacklisted at", "suppressed at"), Answer.BLOCKED),
}  # fmt: skip
# Columns that only a file of people who must not be mailed has (Mailchimp): every row of it is one.
NO_AT_ALL: Mapping[str, Answer] = {
    **dict.fromkeys(("unsub time", "unsub campaign id", "unsub reason"), Answer.LEFT),
    **dict.fromkeys(("clean time", "clean campaign id"), Answer.BOUNCED),
}
# Where several columns of a row say no, this one is kept: what may never be mailed comes first.
GRAVEST = (Answer.COMPLAINED, Answer.BOUNCED, Answer.BLOCKED, Answer.DELETED, Answer.LEFT, Answer.NEVER, Answer.YES)


class UnknownColumns(ValueError):
    """No column is known to hold addresses; str() lists them and says how to name the one that does."""


class UnknownValue(ValueError):
    """A status column holds a word that nobody here knows; str() names the column and the word."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one row says, in which column, and since when if it says so."""

    answer: Answer
    column: str = ""
    value: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The places of the columns that an import reads."""

    header: tuple[str, ...]
    address: int
    names: tuple[int, ...]
    statuses: tuple[int, ...]
    is_named: bool  # else the first record is a reader already

    def name(self, cells: Sequence[str]) -> str:
        """The reader's name, from one column or from several."""
        return " ".join(filter(None, (cells[place].strip() for place in self.names if place < len(cells))))

    def verdict(self, cells: Sequence[str]) -> Verdict:
        """The gravest answer of the row's columns. On failure: UnknownValue."""
        given = [self._one(place, cells[place] if place < len(cells) else "") for place in self.statuses]
        return min(given, key=lambda verdict: GRAVEST.index(verdict.answer), default=Verdict(Answer.YES))

    def _one(self, place: int, value: str) -> Verdict:
        column = self.header[place]
        answer = _answer(fold(column), fold(value))
        if answer is None:
            raise UnknownValue(
                f"The column “{column}” holds “{value.strip()[:40]}”, which is not known to mean subscribed or not. "
                "Replace it by a word such as subscribed or unsubscribed, or remove those rows."
            )
        return Verdict(answer, column, value.strip()[:40], _time(value) if answer is not Answer.YES else None)


def fold(text: str) -> str:
    """A name or value as it is compared."""
    return FOLDED.sub(" ", text.strip(" \t\r\n\ufeff\u00a0\"'")).strip().casefold()


def recognise(first: Sequence[str], *, address: str = "", names: Sequence[str] = ()) -> Columns:
    """The columns that the first record names, or that the caller names by word or number from 1.

    A file without names has the address in its first column. On failure: UnknownColumns.
    """
    folded = [fold(cell) for cell in first]
    place: int | None
    if address:
        place = _place(address, folded, first)
    elif "@" in first[0]:
        return Columns(tuple(first), 0, (), (), is_named=False)
    else:
        place = _address(folded)
    if place is None:
        raise UnknownColumns(
            f"No column is known to hold the addresses. The columns are: {', '.join(cell.strip() for cell in first)}. "
            "Say which one it is: --address-column NAME."
        )
    chosen = tuple(_place(name, folded, first) for name in names) or _names(folded)
    statuses = tuple(number for number, name in enumerate(folded) if number != place and _is_status(name))
    return Columns(tuple(cell.strip() for cell in first), place, chosen, statuses, is_named="@" not in first[place])


def with_statuses(columns: Columns, rows: Iterable[Sequence[str]]) -> Columns:
    """The same, with those columns that may be a status and, by their values, are one."""
    perhaps = [place for place, name in enumerate(columns.header) if fold(name) in PERHAPS_STATUS]
    found: set[int] = set()
    for cells in rows if perhaps else ():
        found |= {place for place in perhaps if place < len(cells) and fold(cells[place]) in STATUS_WORDS}
    statuses = tuple(sorted({*columns.statuses, *found}))
    return Columns(columns.header, columns.address, columns.names, statuses, columns.is_named)


def _is_status(name: str) -> bool:
    return any(name in table for table in (STATUS, YES_IF_TRUE, YES_IF_FILLED, NO_IF_TRUE, NO_IF_FILLED, NO_AT_ALL))


def _answer(column: str, value: str) -> Answer | None:
    """What a value means in a status column; None when nobody here knows."""
    if column in NO_AT_ALL:
        return NO_AT_ALL[column]
    if column in NO_IF_FILLED:
        return Answer.YES if value in EMPTY | FALSE else NO_IF_FILLED[column]
    if column in YES_IF_FILLED:
        return Answer.NEVER if value in EMPTY | FALSE else Answer.YES
    if column in NO_IF_TRUE:
        return _flag(value, if_true=NO_IF_TRUE[column], if_false=Answer.YES)
    if value in EMPTY:
        return Answer.NEVER
    if column in YES_IF_TRUE and value in TRUE | FALSE:
        return Answer.YES if value in TRUE else Answer.NEVER if column.endswith("confirmed") else Answer.LEFT
    return STATUS_WORDS.get(value) or _flag(value, if_true=Answer.YES, if_false=None)


def _flag(value: str, *, if_true: Answer, if_false: Answer | None) -> Answer | None:
    """A column of yes and no, which some tools fill with the time of a yes."""
    if value in TRUE or LOOKS_LIKE_TIME.fullmatch(value):
        return if_true
    return if_false if value in FALSE | EMPTY else None


def _time(value: str) -> datetime | None:
    """The instant that a cell names, if it is written as ISO 8601 has it; without a zone it is taken for UTC."""
    text = value.strip().removesuffix(" UTC")
    try:
        moment = parse_datetime(text[:32])
        day = parse_date(text[:10]) if moment is None else None
    except ValueError:
        return None
    if day is not None:
        moment = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


def _address(folded: Sequence[str]) -> int | None:
    """The column that is called an address; else the one that speaks of mail, if there is one such."""
    named = _first(folded, ADDRESS)
    if named is not None:
        return named
    about_mail = [place for place, name in enumerate(folded) if HAS_MAIL.fullmatch(name) and not _is_status(name)]
    return about_mail[0] if len(about_mail) == 1 else _first(folded, PERHAPS_ADDRESS)


def _names(folded: Sequence[str]) -> tuple[int, ...]:
    full = _first(folded, FULL_NAME)
    parts = tuple(place for place in (_first(folded, FIRST_NAME), _first(folded, LAST_NAME)) if place is not None)
    return parts if full is None else (full,)


def _first(folded: Sequence[str], known: frozenset[str]) -> int | None:
    return next((place for place, name in enumerate(folded) if name in known), None)


def _place(wanted: str, folded: Sequence[str], first: Sequence[str]) -> int:
    """The column of that name or number. On failure: UnknownColumns."""
    if fold(wanted) in folded:
        return folded.index(fold(wanted))
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted) <= len(first):
        return int(wanted) - 1
    listed = ", ".join(cell.strip() for cell in first if "@" not in cell)
    raise UnknownColumns(f"There is no column “{wanted}”. The columns are: {listed or f'numbers 1 to {len(first)}'}.")
