"""Which column is which, in the exports of the field's tools and in their languages."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.utils.dateparse import parse_date, parse_datetime

from subscribers import import_statuses
from subscribers.import_statuses import GRAVEST, Meaning
from subscribers.import_words import Status, fold, words

ADDRESS = words(
    """
    email, e-mail, mail, email address, e-mail address, emailaddress, subscriber email, contact email, email id,
    E-Mail-Adresse, Email-Adresse, Emailadresse, Mailadresse, Mail-Adresse, Deine E-Mail-Adresse, Ihre E-Mail-Adresse,
    адрес электронной почты, электронная почта, электронный адрес, эл. почта, эл. адрес, почта, имейл, емейл,
    E-mail адрес, Email адрес, электрондук почта,
    adresse e-mail, adresse email, adresse électronique, adresse de courriel, adresse mail, courriel,
    correo, correo electrónico, dirección de correo electrónico, dirección de correo, dirección de email,
    indirizzo email, indirizzo e-mail, endereço de e-mail, endereço de email, e-mailadres, emailadres, adres e-mail,
    adres email, e-posta, e-posta adresi, e-postadress, e-postadresse"""
)
# Columns that hold an address of another kind where there is a better one.
PERHAPS_ADDRESS = words("address, adresse, адрес, dirección, contact, mailbox, subscriber, abonnent, подписчик")
HAS_MAIL = re.compile(r".*\b(?:(?:e ?)?mails?|courriel|correo)\b.*|.*\b(?:почта|электронн\w+ (?:почт|адрес)).*")
BARE_NAME = words("name, имя, nom, nombre, nome")
FULL_NAME = words(
    "full name, fullname, display name, subscriber name, contact name, vollständiger name, имя и фамилия, фио, "
    "полное имя, nom complet, nom et prénom, nombre completo, nome completo"
)
FIRST_NAME = words(
    "first name, firstname, fname, given name, forename, vorname, имя, prénom, nombre, nombres, nome, voornaam, аты"
)
LAST_NAME = words(
    "last name, lastname, lname, surname, family name, nachname, familienname, фамилия, nom, nom de famille, apellido, "
    "apellidos, cognome, sobrenome, achternaam, фамилиясы"
)
MANY = 200  # a column with more different cells at its beginning than that is no status
LONGEST_WORD = 80  # characters; what is longer is a text, not a status


class UnknownColumns(ValueError):
    """No column is known to hold addresses; str() lists them and says how to name the one that does."""


class UnknownValue(ValueError):
    """A status column holds a word that nobody here knows; str() names the column and the word."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one row says, in which column, and since when if it says so."""

    status: Status
    column: str = ""
    value: str = ""
    since: datetime | None = None


SAID_YES = Verdict(Status.YES)


@dataclass(frozen=True, slots=True)
class Columns:
    """The places of the columns that an import reads."""

    header: tuple[str, ...]
    address: int
    names: tuple[int, ...]
    statuses: Mapping[int, Meaning]
    ignored: frozenset[int]
    is_named: bool  # else the first record is a reader already
    # What somebody said of all people in the file; a graver status in a row counts more.
    everybody: Status = Status.YES

    def name(self, cells: Sequence[str]) -> str:
        """The reader's name, from one column or from several."""
        return " ".join(filter(None, (cells[place].strip() for place in self.names if place < len(cells))))

    def check(self, cells: Sequence[str]) -> None:
        """Whether every status of the row is understood. On failure: UnknownValue."""
        for place, meaning in self.statuses.items():
            if meaning.of(cells[place] if place < len(cells) else "") is None:
                raise self._unknown(place, cells[place])

    def verdict(self, cells: Sequence[str]) -> Verdict:
        """The gravest status of the row's columns, since the last time that one of them names.

        On failure: UnknownValue.
        """
        texts = {place: " ".join(cells[place].split()) if place < len(cells) else "" for place in self.statuses}
        if self.everybody is Status.YES and all(
            meaning.of(texts[place]) is Status.YES for place, meaning in self.statuses.items()
        ):
            return SAID_YES
        given = [self._one(place, text) for place, text in texts.items()]
        gravest = min(given, key=lambda verdict: GRAVEST.index(verdict.status), default=SAID_YES)
        if GRAVEST.index(self.everybody) < GRAVEST.index(gravest.status):
            gravest = Verdict(self.everybody)
        return replace(gravest, since=max((verdict.since for verdict in given if verdict.since), default=None))

    def _one(self, place: int, value: str) -> Verdict:
        status = self.statuses[place].of(value)
        if status is None:
            raise self._unknown(place, value)
        return Verdict(status, self.header[place], value[:40], _time(value) if status is not Status.YES else None)

    def _unknown(self, place: int, value: str) -> UnknownValue:
        column = self.header[place]
        shown = "an address" if "@" in value else f"“{' '.join(value.split())[:40]}”"
        return UnknownValue(
            f"The column “{column}” holds {shown}, which is not known to mean subscribed or not. "
            "Replace it by a word such as subscribed or unsubscribed, or remove those rows; "
            f'if the column speaks of something else: --ignore-column "{column}".'
        )


def recognise(
    first: Sequence[str], *, address: str = "", names: Sequence[str] = (), ignored: Sequence[str] = ()
) -> Columns:
    """The columns that the first record names, or that the caller names by word or number from 1.

    A file without names has the address in its first column. On failure: UnknownColumns.
    """
    folded = [fold(cell) for cell in first]
    place = _place(address, folded, first) if address else 0 if "@" in first[0] else _address(folded)
    if place is None:
        raise UnknownColumns(_nothing_known(first))
    is_named = "@" not in first[place]
    if not is_named and sum("@" in cell for cell in first) > 1:
        raise UnknownColumns("The first line has several addresses. Write one reader on each line.")
    chosen = tuple(_place(name, folded, first) for name in names) or (_names(folded) if is_named else ())
    skipped = frozenset(_place(name, folded, first) for name in ignored)
    header = tuple(cell.strip() if is_named else str(number) for number, cell in enumerate(first, start=1))
    meanings = {
        number: meaning
        for number, name in enumerate(folded if is_named else ())
        if number not in {place, *chosen, *skipped} and (meaning := import_statuses.known(name))
    }
    return Columns(header, place, chosen, meanings, skipped, is_named)


def with_statuses(columns: Columns, rows: Iterable[Sequence[str]]) -> Columns:
    """The same, with those columns that are a status by the content of their cells. Reads every row."""
    settled = {columns.address, *columns.names, *columns.ignored, *columns.statuses}
    places = [place for place in range(len(columns.header)) if place not in settled]
    seen: dict[int, set[str]] = {place: set() for place in places}
    for cells in rows:
        for place in places:
            if place < len(cells) and len(cells[place]) <= LONGEST_WORD:
                seen[place].add(cells[place])
                if len(seen[place]) > MANY:
                    places = [other for other in places if other != place]
    meanings = {
        place: meaning
        for place, cells in seen.items()
        if (meaning := import_statuses.by_values(fold(columns.header[place]), map(fold, cells)))
    }
    return replace(columns, statuses=dict(sorted({**columns.statuses, **meanings}.items())))


def _time(value: str) -> datetime | None:
    """The instant that a cell names, if it is written as ISO 8601 has it; without a zone it is taken for UTC."""
    text = value.removesuffix(" UTC")
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
    about_mail = [
        place for place, name in enumerate(folded) if HAS_MAIL.fullmatch(name) and not import_statuses.known(name)
    ]
    return about_mail[0] if len(about_mail) == 1 else _first(folded, PERHAPS_ADDRESS)


def _names(folded: Sequence[str]) -> tuple[int, ...]:
    """One column, or those of the first and the last name; "Name" beside "Surname" is a first name."""
    full = _first(folded, FULL_NAME)
    if full is not None:
        return (full,)
    first, last = _first(folded, FIRST_NAME), _first(folded, LAST_NAME)
    if first is None or last is None or first == last:
        bare = _first(folded, BARE_NAME)
        first, last = (bare, None if first is not None or last == bare else last) if bare is not None else (first, last)
    return tuple(place for place in (first, last) if place is not None)


def _first(folded: Sequence[str], known: frozenset[str]) -> int | None:
    return next((place for place, name in enumerate(folded) if name in known), None)


def _place(column: str, folded: Sequence[str], first: Sequence[str]) -> int:
    """The column of that name or number. On failure: UnknownColumns."""
    if fold(column) in folded:
        return folded.index(fold(column))
    if column.isascii() and column.isdigit() and 0 < int(column) <= len(first):
        return int(column) - 1
    raise UnknownColumns(f"There is no column “{column}”. The columns are: {_listed(first)}.")


def _nothing_known(first: Sequence[str]) -> str:
    if any("@" in cell for cell in first):
        return (
            "The first line does not name the columns, and its first cell has no address. "
            "Say where the addresses are: --address-column with the number of the column, from 1."
        )
    return (
        f"No column is known to hold the addresses. The columns are: {_listed(first)}. "
        "Say which one it is: --address-column NAME."
    )


def _listed(first: Sequence[str]) -> str:
    if any("@" in cell for cell in first):
        return f"numbers 1 to {len(first)}"
    return ", ".join(cell.strip()[:60] for cell in first)
