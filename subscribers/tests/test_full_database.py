"""The database has no room, no memory or no connection left in the middle of an act: all of it is undone."""

import pytest
from django.db import connection
from django.test import Client

from subscribers import links
from subscribers.models import ConsentEvent, Letter, Subscriber, Subscription
from subscribers.tests.conftest import Fill
from tests import ownership
from tests.table import rows

pytestmark = pytest.mark.django_db

# What PostgreSQL says then, sent by PostgreSQL itself.
FAULTS = {"disk full": "53100", "out of memory": "53200", "too many connections": "53300"}


def break_at(table: str, fault: str) -> None:
    """From here to the end of the test's transaction the table takes no row."""
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '{FAULTS[fault]}'; END $$;"
            f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse()"
        )


@rows("fault", list(FAULTS))
def test_a_sign_up_is_asked_to_come_back_and_is_not_half_there(
    client: Client, newsletter: object, fill: Fill, fault: str
) -> None:
    """The letter is the last row of the act."""
    break_at("subscribers_letter", fault)
    response = client.post("/subscribe/", fill())
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert not Subscriber.objects.exists()
    assert not Subscription.objects.exists()
    assert not ConsentEvent.objects.exists()


def test_a_reader_who_leaves_is_asked_to_come_back_and_has_not_half_left(client: Client, rita: Subscription) -> None:
    events, letters = ConsentEvent.objects.count(), Letter.objects.count()
    break_at("subscribers_subscription", "disk full")
    response = client.post(links.unsubscribe_url(subscription=rita), {"List-Unsubscribe": "One-Click"})
    assert response.status_code == 503
    rita.refresh_from_db()
    assert rita.state == Subscription.State.CONFIRMED
    assert (ConsentEvent.objects.count(), Letter.objects.count()) == (events, letters)
