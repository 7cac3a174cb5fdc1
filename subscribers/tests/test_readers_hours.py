"""The weekdays, the zone and the hours that a reader chooses on the preference page, with no JavaScript."""

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from subscribers import links
from subscribers.models import Subscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(rita: Subscription) -> str:
    """Rita's link; her newsletter lets readers choose the days of the daily digest."""
    rita.newsletter.offers.filter(cadence="daily").update(any_days=True)
    return f"/preferences/{links.preferences_token(subscriber=rita.subscriber)}/"


def test_a_daily_digest_comes_on_the_weekdays_that_are_ticked(browser: Client, path: str, rita: Subscription) -> None:
    form = {"action": "save", "newsletter": "tech-news", "cadence": "daily"}
    for days, stored in ((["4", "0", "2"], "024"), (list("0123456"), ""), (["6"], "6"), ([], "")):
        assert browser.post(path, form | {"days": days}).status_code == 303
        rita.refresh_from_db()
        assert (rita.days, rita.out_of_step_since is not None) == (stored, True)
    browser.post(path, form | {"days": ["0", "2"]})
    page = BeautifulSoup(browser.get(path).content, "html5lib")
    ticked = page.select("fieldset input[name=days]:checked")
    assert [box["value"] for box in ticked] == ["0", "2"]
    assert "Monday, Wednesday" in page.select_one(".setting__now").get_text()  # type: ignore[union-attr]  # it is there
    browser.post(path, form | {"cadence": "weekly", "days": ["0", "2"]})
    rita.refresh_from_db()
    assert (rita.cadence, rita.days) == ("weekly", ""), "only a daily digest has days"


def test_days_that_the_newsletter_does_not_offer_are_refused(browser: Client, path: str, rita: Subscription) -> None:
    rita.newsletter.offers.update(any_days=False)
    sent = {"action": "save", "newsletter": "tech-news", "cadence": "daily", "days": ["0"]}
    assert browser.post(path, sent).status_code == 422
    assert b'name="days"' not in browser.get(path).content


def test_zone_and_hours_are_stored_shown_and_refused_when_there_are_none(
    browser: Client, path: str, rita: Subscription
) -> None:
    sent = {"action": "hours", "time_zone": "Asia/Bishkek", "mail_hour": "6", "quiet_from": "22", "quiet_until": "7"}
    assert browser.post(path, sent).status_code == 303
    for wrong in ({"time_zone": "Mars/Base"}, {"mail_hour": "24"}, {"quiet_until": ""}, {"quiet_until": "22"}):
        response = browser.post(path, sent | wrong)
        assert response.status_code == 422
        page = BeautifulSoup(response.content, "html5lib")
        assert page.select("#time_zone[aria-invalid=true]")
    reader = rita.subscriber
    reader.refresh_from_db()
    assert (reader.time_zone, reader.mail_hour, reader.quiet_from, reader.quiet_until) == ("Asia/Bishkek", 6, 22, 7)
    page = BeautifulSoup(browser.get(path).content, "html5lib")
    assert [option["value"] for option in page.select("#hours option[selected]")] == ["Asia/Bishkek", "6", "22", "7"]
    assert browser.post(path, {"action": "hours"}).status_code == 303
    reader.refresh_from_db()
    assert (reader.time_zone, reader.mail_hour, reader.quiet_from) == ("", None, None)
