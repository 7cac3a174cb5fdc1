"""Rita who reads, what she fills in, and lists that are imported."""

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from subscribers import imports, terms
from subscribers.import_report import Report
from subscribers.models import (
    LegalVersion,
    Newsletter,
    Subscription,
)
from tests.cast import RITA, confirmed, make_newsletter


@pytest.fixture
def newsletter(newsletter: Newsletter, texts: list[LegalVersion]) -> Newsletter:
    """Tech News, on a site that has its terms and its privacy policy."""
    return newsletter


@pytest.fixture
def product(db: None) -> Newsletter:
    """A second newsletter."""
    return make_newsletter("Product Updates", slug="product-updates", position=1)


def import_text(
    text: str | bytes, newsletter: Newsletter, *, basis: str = "A paper form", dry_run: bool = False, **columns: Any
) -> Report:
    """Import a file with this content into a weekly subscription."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(text.encode() if isinstance(text, str) else text)
        file.flush()
        source = imports.open_source(path=Path(file.name), **columns)
        plan = imports.plan(newsletter=newsletter, cadence="weekly", basis=basis)
        return imports.run(source=source, plan=plan, actor=None, now=timezone.now(), dry_run=dry_run)


@pytest.fixture
def rita(newsletter: Newsletter) -> Subscription:
    """Rita's confirmed daily subscription."""
    return confirmed(RITA, newsletter)


def form_token(*, age: timedelta = timedelta(minutes=1)) -> str:
    """The seal of a form that was shown `age` ago."""
    return terms.seal(terms=terms.current(), page="/articles/story/", now=timezone.now() - age)


Fill = Callable[..., dict[str, object]]


@pytest.fixture
def fill() -> Fill:
    """What a browser sends for a form that Rita filled in well; arguments change single fields."""

    def filled(**changes: object) -> dict[str, object]:
        data: dict[str, object] = {
            "address": RITA,
            "newsletters": ["tech-news"],
            "cadence_tech-news": "weekly",
            "consent": "on",
            "leave_empty": "",
            "form_token": form_token(),
        } | changes
        return {name: value for name, value in data.items() if value is not None}

    return filled


@pytest.fixture
def browser() -> Client:
    """A client that checks CSRF as a real server does."""
    return Client(enforce_csrf_checks=True)
