"""Sections, newsletters and legal texts get an order without numbers: by drag, by buttons, without a script."""

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from articles.models import Section
from publication.models import Publication
from staff import limits
from staff.models import AuditEvent, LimitKind
from subscribers.models import LegalDocument, Newsletter
from tests.cast import Staff, account, make_newsletter, make_texts, signed_in
from tests.table import rows

pytestmark = pytest.mark.django_db

PAGES = {"sections": Section, "newsletters": Newsletter, "legal-texts": LegalDocument}


@pytest.fixture
def things(publication: Publication) -> None:
    """Three sections, two newsletters and two legal texts, in the order in which they were made."""
    for place, name in enumerate(("News", "Markets", "Policy")):
        Section.objects.create(name=name, slug=name.lower(), position=place)
    for place, name in enumerate(("Tech News", "Money")):
        make_newsletter(name, position=place)
    make_texts()
    for place, text in enumerate(LegalDocument.objects.order_by("pk")):
        LegalDocument.objects.filter(pk=text.pk).update(position=place)


def in_order(model: type[Model]) -> list[int]:
    return list(model._default_manager.values_list("pk", flat=True))


def posted(page: bytes) -> list[int]:
    """The order that the form has."""
    return [int(str(field["value"])) for field in BeautifulSoup(page, "html5lib").select('input[name="row"]')]


@rows("name", list(PAGES))
def test_a_step_moves_a_row_in_the_form_and_saving_shows_it_to_readers(things: None, staff: Staff, name: str) -> None:
    client, address, before = staff("Publisher"), f"/admin/order/{name}/", in_order(PAGES[name])
    assert posted(client.get(address).content) == before
    moved = posted(client.post(address, {"row": before, "move": f"row down {before[0]}"}).content)
    assert moved == [before[1], before[0], *before[2:]]
    assert in_order(PAGES[name]) == before, "only a save changes it"
    assert client.post(address, {"row": moved, "save": "1"}).status_code == 302
    assert in_order(PAGES[name]) == moved


def test_readers_see_newsletters_and_sections_in_that_order_and_the_log_has_it(things: None, staff: Staff) -> None:
    client = staff("Publisher")
    for name, model in (("sections", Section), ("newsletters", Newsletter)):
        client.post(f"/admin/order/{name}/", {"row": in_order(model)[::-1], "save": "1"})
    page = Client().get("/newsletters/").content.decode()
    assert page.index("Policy") < page.index("Markets") < page.index("News</a>")
    assert page.index("Money</a>") < page.index("Tech News</a>")
    changes = [event.detail for event in AuditEvent.objects.filter(action="newsletter_changed")]
    assert {"changed": {"position": [1, 0]}} in changes


@rows("move", ["", "row", "row down", "row down x", "row down " + "9" * 5_000, "row remove 0"])
def test_what_is_no_step_moves_nothing(things: None, staff: Staff, move: str) -> None:
    before = in_order(Section)
    response = staff("Publisher").post("/admin/order/sections/", {"row": before, "move": move})
    assert posted(response.content) == before


def test_what_the_form_does_not_know_comes_last(things: None, staff: Staff) -> None:
    news, markets, policy = in_order(Section)
    staff("Publisher").post("/admin/order/sections/", {"row": [policy, 0, "x", policy], "save": "1"})
    assert in_order(Section) == [policy, news, markets]


def test_a_new_one_is_the_last_and_no_form_asks_for_a_number(things: None, staff: Staff) -> None:
    client = staff("Publisher")
    address = "/admin/articles/section/add/"
    assert 'name="position"' not in client.get(address).content.decode()
    client.post(address, {"name": "Sport", "slug": "sport"})
    assert Section.objects.last() == Section.objects.get(slug="sport")
    assert "/admin/order/sections/" in client.get("/admin/articles/section/").content.decode()
    assert "/admin/order/newsletters/" in client.get("/admin/newsletters/").content.decode()


def test_who_is_limited_to_some_orders_none(things: None) -> None:
    person = account("lena", "Publisher")
    limits.change(user=person, kind=LimitKind.SECTION, chosen=in_order(Section)[:1], actor=None, now=timezone.now())
    client = signed_in(User.objects.get(pk=person.pk))
    assert client.post("/admin/order/sections/", {"row": [], "save": "1"}).status_code == 403
    assert client.get("/admin/order/newsletters/").status_code == 200
    assert "/admin/order/" not in client.get("/admin/articles/section/").content.decode()
    assert client.get("/admin/order/stories/").status_code == 404
