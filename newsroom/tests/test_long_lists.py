"""Lists of the desk with more rows than anybody pages through: no count of all, no long skip, search by an index."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from publication import change_lists
from subscribers.models import Subscriber
from tests import query_work

pytestmark = pytest.mark.django_db

READERS = "/admin/subscribers/subscriber/"
FILL = """
INSERT INTO subscribers_subscriber (uuid, address, address_key, address_hash, name, language, token_version,
                                    tracking_consent, created_at)
SELECT gen_random_uuid(), address, address, md5(address), '', '', 1, false, now()
FROM (SELECT 'reader-' || number || '@readers.example' AS address FROM generate_series(1, %s) AS number) AS made
"""


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred, where a list counts a hundred."""
    monkeypatch.setattr(change_lists, "MOST_COUNTED", 100)
    with connection.cursor() as cursor:
        cursor.execute(FILL, [300])


def test_a_list_counts_no_further_than_it_pages(readers: None, admin_client: Client) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = admin_client.get(READERS)
    assert page.context["cl"].result_count == 100
    assert page.context["cl"].paginator.is_cut
    assert "More than" in page.content.decode()
    counts = [
        query["sql"] for query in queries if "COUNT(" in query["sql"] and "subscribers_subscriber" in query["sql"]
    ]
    assert counts
    assert all("LIMIT 101" in sql for sql in counts)
    few = admin_client.get(f"{READERS}?q=reader-29").context["cl"]
    assert (few.result_count, few.paginator.is_cut) == (11, False)
    assert few.paginator.count == len(few.result_list) == 11


def test_an_address_is_searched_by_the_index_of_its_beginning(readers: None, admin_client: Client) -> None:
    rows = Subscriber.objects.filter(address_key__startswith="reader-29").order_by("-pk")
    # The statistics of an empty table, which autovacuum may leave behind, would have it read by its key.
    query_work.take_for_unknown(Subscriber)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert re.search(r"Index Scan using subscribers_subscriber_address_key_\w+_like", rows.explain())
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(f"{READERS}?q=Reader-29")
    assert any("LIKE 'reader-29%'" in query["sql"] for query in queries)
