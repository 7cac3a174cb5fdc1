"""The hours of the desk are in one time zone: the publication's, or the person's own; it is named at each field."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from articles import publishing
from articles.models import Article, Section
from core import database_clock
from publication.models import Publication
from tests.cast import account, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def paul(publication: Publication) -> User:
    Publication.objects.update(time_zone="Asia/Bishkek")
    return account("paul", "Publisher")


def test_a_person_chooses_a_zone_and_every_field_names_and_means_it(paul: User, section: Section) -> None:
    client = signed_in(paul)
    assert "The publication&#x27;s: Asia/Bishkek" in client.get("/admin/account/").content.decode()
    year = database_clock.now().year + 1
    # In January Bishkek is six hours before UTC, and New York five behind.
    for number, (chosen, place, hour) in enumerate((("", "Bishkek", 3), ("America/New_York", "New York", 14))):
        assert client.post("/admin/account/", {"name": "Paul", "time_zone": chosen}).status_code == 302
        story = Article.objects.create(
            headline="Rates", slug=f"rates-{number}", section=section, body_markdown="Words."
        )
        publishing.save_revision(article=story, actor=None, now=database_clock.now())
        page = f"/admin/articles/article/{story.pk}/do/schedule/"
        assert f"{place} time" in client.get(page).content.decode()
        typed = {"publish_at_0": f"{year}-01-05", "publish_at_1": "09:00"}
        form = client.post(page, typed).context
        warnings = form["form"].fields["acknowledge"].choices if form else []
        client.post(page, typed | {"acknowledge": [value for value, _label in warnings]})
        story.refresh_from_db()
        assert story.publish_at == datetime(year, 1, 5, hour, 0, tzinfo=UTC)
        assert place in client.get("/admin/calendar/").content.decode().replace("_", " ")
        assert re.search(rf"Counted at \d\d:\d\d \({place} time\)", client.get("/admin/").content.decode())
    assert client.post("/admin/account/", {"name": "Paul", "time_zone": "Factory"}).status_code == 200


def test_the_choice_costs_a_page_no_statement_of_its_own(paul: User) -> None:
    client = signed_in(paul)
    with CaptureQueriesContext(connection) as queries:
        client.get("/admin/account/")
    asked = [query["sql"] for query in queries if "staff_preference" in query["sql"]]
    assert all('FROM "auth_user"' in statement for statement in asked), "it comes with the person"
