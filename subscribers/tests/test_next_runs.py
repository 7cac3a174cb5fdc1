"""The form of a newsletter says when its next digests are made, as the clock will have it."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.test import Client
from django.utils.formats import date_format

from core import database_clock
from subscribers import admin_schedules, schedules
from subscribers.models import Cadence, CadenceOffer, Newsletter, Weekday

pytestmark = pytest.mark.django_db


@pytest.fixture
def newsletter() -> Newsletter:
    """Daily at 10:00 in Berlin, each story at once, and a weekly digest that is switched off."""
    newsletter = Newsletter.objects.create(name="News", slug="news", description="News.", time_zone="Europe/Berlin")
    CadenceOffer.objects.create(newsletter=newsletter, cadence=Cadence.INSTANT)
    CadenceOffer.objects.create(newsletter=newsletter, cadence=Cadence.DAILY, send_at=time(10))
    weekly = {"send_at": time(7), "weekday": Weekday.FRIDAY, "is_active": False}
    CadenceOffer.objects.create(newsletter=newsletter, cadence=Cadence.WEEKLY, **weekly)
    return newsletter


def form_data(client: Client, newsletter: Newsletter) -> dict[str, object]:
    """What a browser sends back when nothing is changed."""
    page = client.get(f"/admin/subscribers/newsletter/{newsletter.pk}/change/")
    forms = [page.context["adminform"].form]
    for formset in page.context["inline_admin_formsets"]:
        forms += [formset.formset.management_form, *formset.formset.forms]
    data: dict[str, object] = {}
    for form in forms:
        for field in form:
            value = field.value()
            parts = field.field.widget.decompress(value) if hasattr(field.field.widget, "decompress") else None
            values = {field.html_name: value} if parts is None else dict(_named(field.html_name, parts))
            data |= {name: value for name, value in values.items() if value is not None and value is not False}
    return data


def _named(name: str, parts: list[object]) -> list[tuple[str, object]]:
    return [(f"{name}_{number}", part) for number, part in enumerate(parts)]


def test_it_shows_the_next_three_and_a_change_of_the_hour_acts_forward(
    admin_client: Client, newsletter: Newsletter
) -> None:
    """The zone of the newsletter, not that of the site, and exactly what `schedules` computes for the clock."""
    data = form_data(admin_client, newsletter)
    (hour,) = (name for name, value in data.items() if name.endswith("send_at") and str(value).startswith("10"))
    response = admin_client.post(
        f"/admin/subscribers/newsletter/{newsletter.pk}/change/", data | {hour: "03:15", "_continue": "1"}
    )
    assert response.status_code == 302, response.context["adminform"].form.errors
    offer = CadenceOffer.objects.select_related("newsletter").get(cadence=Cadence.DAILY)
    assert offer.schedule.endswith("03:15:00")
    zone = ZoneInfo("Europe/Berlin")
    runs = schedules.upcoming(offer=offer, now=datetime.now(UTC))
    words = [date_format(run.astimezone(zone), "D j M, H:i") for run in runs]
    assert all(text.endswith("03:15") for text in words)
    message = str(next(iter(get_messages(response.wsgi_request))))
    assert message.startswith(f"Daily: the next digest is made on {words[0]} (Europe/Berlin), with all stories")
    text = admin_client.get(response["Location"]).content.decode()
    assert [text.count(run) for run in words] == [2, 1, 1]
    assert "With each story" in text


def test_a_digest_without_its_day_is_refused_in_words(admin_client: Client, newsletter: Newsletter) -> None:
    data = form_data(admin_client, newsletter)
    (cadence,) = (name for name, value in data.items() if name.endswith("-cadence") and value == Cadence.DAILY)
    address = f"/admin/subscribers/newsletter/{newsletter.pk}/change/"
    response = admin_client.post(address, data | {cadence: Cadence.MONTHLY})
    assert [form.errors for form in response.context["inline_admin_formsets"][0].formset.forms if form.errors] == [
        {"day_of_month": ["A digest of this cadence needs it."]}
    ]
    day = cadence.replace("-cadence", "-day_of_month")
    assert admin_client.post(address, data | {cadence: Cadence.MONTHLY, day: 29}).status_code == 200
    assert admin_client.post(address, data | {cadence: Cadence.MONTHLY, day: 28}).status_code == 302
    assert (
        newsletter.offers.get(cadence=Cadence.MONTHLY).in_words() == "On day 28 of each month at 10:00 (Europe/Berlin)"
    )


def test_over_summer_time_the_hour_stays(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_clock, "now", lambda: datetime(2025, 10, 24, 12, tzinfo=UTC))
    offer = newsletter.offers.get(cadence=Cadence.DAILY)
    offer.active_since = datetime(2025, 10, 1, tzinfo=UTC)
    text = admin_schedules.CadenceOfferInline(Newsletter, admin.site).next_runs(offer)
    for day in ("Sat 25 Oct, 10:00", "Sun 26 Oct, 10:00", "Mon 27 Oct, 10:00"):
        assert day in text
    instants = schedules.upcoming(offer=offer, now=datetime(2025, 10, 24, 12, tzinfo=UTC))
    assert [run.hour for run in instants] == [8, 9, 9]
