"""What a page of the desk asks the database: the same thing once, and what acts asks again."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from digests.models import Issue
from publication import groups
from staff import limits
from staff.models import LimitKind
from subscribers.models import Newsletter
from tests.cast import account, make_newsletter, signed_in

pytestmark = pytest.mark.django_db


def test_a_page_of_the_desk_reads_the_publication_and_ones_limits_once(digest: Issue, newsletter: Newsletter) -> None:
    petra, issue = signed_in(account("petra", groups.PUBLISHER)), f"digests/issue/{digest.pk}"
    for page in (
        "", "readers/", "newsletters/", f"newsletters/{newsletter.pk}/", "calendar/", "front-page/",
        "articles/article/", f"articles/article/{digest.items.all()[0].article_id}/change/", "digests/issue/",
        f"{issue}/change/", f"{issue}/do/approve/", "staff/auditevent/",
    ):  # fmt: skip
        petra.get(f"/admin/{page}")
        with CaptureQueriesContext(connection) as queries:
            assert petra.get(f"/admin/{page}").status_code == 200
        for table in ("publication_publication", "staff_limit"):
            assert sum(f'FROM "{table}"' in query["sql"] for query in queries) == 1, (page, table)


def test_the_composer_reads_the_issue_once(digest: Issue) -> None:
    petra, page = signed_in(account("petra", groups.PUBLISHER)), f"/admin/digests/issue/{digest.pk}/change/"
    petra.get(page)
    with CaptureQueriesContext(connection) as queries:
        petra.get(page)
    bylines = [query for query in queries if 'FROM "articles_byline"' in query["sql"]]
    assert len(bylines) == 1, "its stories are read once"
    assert len(queries) < 36


def test_what_acts_reads_again(digest: Issue) -> None:
    """A right that was taken away while a form was open is gone."""
    petra = account("petra", groups.PUBLISHER)
    client = signed_in(petra)
    client.get(f"/admin/digests/issue/{digest.pk}/do/approve/")
    limits.change(user=petra, kind=LimitKind.SECTION, chosen=[1], actor=None, now=timezone.now())
    other = make_newsletter("Money")
    limits.change(user=petra, kind=LimitKind.NEWSLETTER, chosen=[other.pk], actor=None, now=timezone.now())
    assert client.post(f"/admin/digests/issue/{digest.pk}/do/approve/").status_code == 404
