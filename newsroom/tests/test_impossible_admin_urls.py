"""An address or a form of the admin may name what does not exist: years, pages, rows, filters. Nothing fails."""

import re
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from articles.models import Article, Image, Section
from publication.change_lists import Listing
from publication.models import Publication
from tests.table import rows

pytestmark = [
    pytest.mark.django_db,
    # A day without a time zone is a word in the log, and no fault.
    pytest.mark.filterwarnings("ignore:DateTimeField:RuntimeWarning"),
]

MODELS = list(admin.site._registry)
MANY = "9" * 25
# What a field of any type may be asked for, as an address says it.
ASKED = [
    ("year", "99999"), ("year", "0"), ("year", "9999"), ("year", MANY), ("year__gte", "99999"), ("year__in", "99999,1"),
    ("iso_year", "99999"), ("month", MANY), ("day", MANY), ("week", MANY), ("hour", MANY), ("date", "99999-01-01"),
    ("time", "25:61"), ("exact", MANY), ("gt", f"-{MANY}"), ("gte", "1e999"), ("lt", "abc"), ("in", ""), ("in", MANY),
    ("in", "a,b"), ("range", "1"), ("range", "1,2"), ("regex", "["), ("isnull", "maybe"), ("contains", '{"a'),
    ("has_key", "["), ("nosuch", "1"), ("pk", MANY),
]  # fmt: skip


def listing(model: type) -> str:
    """The address of a model's list."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")  # type: ignore[attr-defined]  # a model


@pytest.fixture
def story() -> Article:
    """A list with something in it, so that conditions are really looked at."""
    section = Section.objects.create(name="News", slug="news")
    return Article.objects.create(headline="Gold", slug="gold", section=section)


@rows("model", MODELS)
def test_every_list_tries_first_what_it_is_asked_for(model: type) -> None:
    assert admin.site._registry[model].get_changelist(None) is Listing  # type: ignore[arg-type]  # ours ignores the request


@rows("name", ["id", "headline", "created_at", "section", "tags", "state"])
def test_no_filter_fails(admin_client: Client, story: Article, name: str) -> None:
    for lookup, value in ASKED:
        query = urlencode({f"{name}__{lookup}": value})
        assert admin_client.get(f"{listing(Article)}?{query}").status_code in {200, 302, 400}, query


@rows("model", MODELS)
def test_no_filter_of_any_list_fails(admin_client: Client, model: type) -> None:
    fields = [field for field in model._meta.get_fields() if getattr(field, "concrete", False)]  # type: ignore[attr-defined]  # a model
    for field in fields:
        is_time = field.get_internal_type() == "DateTimeField"
        query = urlencode({f"{field.name}__{'year' if is_time else 'range'}": "99999"})
        # The publication has no list: its address leads to its one page, whatever is asked for.
        # The library of pictures has a search of its own, which knows none of these.
        refused = 302 if model is Publication else 200 if model is Image else 400
        assert admin_client.get(f"{listing(model)}?{query}").status_code == refused, query


@rows("value", ["99999", "0", "-1", MANY, "abc"])
def test_a_year_that_no_calendar_has_is_refused(admin_client: Client, story: Article, value: str) -> None:
    for query in (f"created_at__year={value}", f"updated_at__year__gte={value}"):
        assert admin_client.get(f"{listing(Article)}?{query}").status_code == 400


def test_a_year_of_the_calendar_is_listed(admin_client: Client, story: Article) -> None:
    year = story.created_at.year
    assert b"Gold" in admin_client.get(f"{listing(Article)}?created_at__year={year}").content
    assert b"Gold" not in admin_client.get(f"{listing(Article)}?created_at__year={year - 1}").content


# What can be behind a list's address or in its query, with a value in the place of {}.
PLACES = ("?p={}", "?q={}", "?o={}", "?e=1&p={}", "{}/change/", "{}/history/")


@rows("value", ["-1", MANY, "9" * 5_000, "abc%ff"])
def test_no_page_row_or_search_of_stories_fails(admin_client: Client, story: Article, value: str) -> None:
    for place in PLACES:
        path = place.format(value)
        assert admin_client.get(listing(Article) + path).status_code in {200, 302, 400, 404}, path


@rows("model", MODELS)
def test_no_page_row_or_search_of_any_list_fails(admin_client: Client, model: type) -> None:
    for path in ("?p=-1", f"?q={MANY}", "9" * 5_000 + "/change/"):
        assert admin_client.get(listing(model) + path).status_code in {200, 302, 400, 404}, path


@rows("model", MODELS)
@rows("value", [MANY, "abc"])
def test_an_action_on_what_is_no_row_changes_nothing(admin_client: Client, model: type, value: str) -> None:
    people = User.objects.count()
    for form in ({"action": "delete_selected", "_selected_action": value}, {"action": value, "_selected_action": "1"}):
        assert admin_client.post(listing(model), {**form, "index": "0"}).status_code in {200, 302, 400, 403}
    assert User.objects.count() == people


@rows("value", ["99999", MANY, "9" * 5_000, "abc", "1,b", "["])
def test_a_form_leaves_out_what_its_address_suggests_and_cannot_be(admin_client: Client, value: str) -> None:
    names = ("section", "tags", "lead_image", "published_at", "publish_at", "state", "nosuch")
    for path in (f"{listing(Article)}add/", reverse("admin:digests_issue_add")):
        query = urlencode(dict.fromkeys((*names, "newsletter", "kind"), value))
        assert admin_client.get(f"{path}?{query}").status_code == 200


def test_a_form_takes_what_its_address_suggests(admin_client: Client, story: Article) -> None:
    form = admin_client.get(f"{listing(Article)}add/?section={story.section_id}&headline=Silver").content.decode()
    assert re.search(r"<textarea[^>]*>\s*Silver", form)
    assert f'<option value="{story.section_id}" selected>' in form
