"""A list of readers as another system exports it, made from a seed so that it is the same in every run."""

from __future__ import annotations

import csv
import random
from pathlib import Path

HEADER = "Email Address,First Name,Last Name,Language,OPTIN_TIME,CONFIRM_TIME,Status,TAGS,Note".split(",")
FIRST = ("Anna", "Jonas", "María", "Chloé", "Jürgen", "Алина", "Бакыт", "Мээрим", "Олег", "Нургүл")
LAST = ("Müller", "Smith", "O'Hara", "García", "Dubois", "Иванова", "Асанов", "Токтогулова", "Петров", "Ким")
# Most people are with a few providers; the others with some thousand companies.
PROVIDERS = ("gmail.com", "mail.ru", "yandex.ru", "outlook.com", "gmx.de", "yahoo.com", "web.de", "icloud.com")
COMPANIES = 5_000
# Of a thousand records; all others are subscribed.
NOES = ("unsubscribed",) * 40 + ("cleaned",) * 12 + ("complained",) * 2 + ("pending",) * 10 + ("отписан",) * 6
BAD = 20
TWICE = 30


def write(path: Path, *, rows: int) -> None:
    """A file of this many records: 2 % of them unreadable, 7 % of people who said no, 3 % there twice."""
    chosen = random.Random(rows)  # noqa: S311  # the same file in every run
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(rows):
            fate = chosen.randrange(1_000)
            address = _address(chosen.randrange(max(number, 1)) if fate < TWICE else number)
            if fate < TWICE:
                address = address.title()
            elif fate < TWICE + BAD:
                address = address.replace("@", chosen.choice(("", "@@", " @", "@[")))
            place = fate - TWICE - BAD
            status = NOES[place] if 0 <= place < len(NOES) else "subscribed" if number % 2 else "подписан"
            writer.writerow(_record(number, address, status, chosen))


def _address(number: int) -> str:
    """The same for the same number: two thirds are with the large providers."""
    domain = PROVIDERS[number % 8] if number % 3 else f"company-{number * 7919 % COMPANIES}.com"
    return f"reader.{number * 2_654_435_761 % 2**32:08x}@{domain}"


def _record(number: int, address: str, status: str, chosen: random.Random) -> list[str]:
    day = f"20{chosen.randrange(15, 26)}-{chosen.randrange(1, 13):02}-{chosen.randrange(1, 29):02}"
    clock = f"{chosen.randrange(24):02}:{chosen.randrange(60):02}:{chosen.randrange(60):02}"
    side = number % 2 * 5
    return [
        address,
        FIRST[side + chosen.randrange(5)],
        LAST[side + chosen.randrange(5)],
        "ru" if number % 2 else "en",
        f"{day} {clock}",
        "" if status == "pending" else f"{day} {clock}",
        status,
        '"fair","2024"' if number % 5 == 0 else "",
        "met at the fair, hall 3" if number % 7 == 0 else "",
    ]
