"""Segments at the desk: a form of lines that works without a script, and who may open what."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from publication import groups
from staff import limits
from staff.models import LimitKind
from subscribers import segments
from subscribers.models import Newsletter, Segment, Subscription
from tests.cast import Readers, Staff, account, make_newsletter, signed_in

pytestmark = pytest.mark.django_db
LIST = "/admin/readers/segments/"


def sent(client: Client, address: str, page: Any, act: str, **typed: str) -> Any:
    """What the page answers when its form is filled in and a button pressed."""
    form = BeautifulSoup(page.content, "html5lib").find("form", {"data-live-count": True})
    assert form is not None
    values = {field["name"]: field.get("value", "") for field in form.find_all("input")}
    for choice in form.find_all("select"):
        chosen = choice.select_one("option[selected]") or choice.select("option")[0]
        values[choice["name"]] = chosen["value"]
    return client.post(address, {**values, "act": act, **typed})


def number(page: Any) -> str:
    """What the page says of how many readers there are."""
    shown = BeautifulSoup(page.content, "html5lib").find(id="segment-number")
    assert shown is not None
    return " ".join(shown.text.split())


def test_an_editor_makes_one_by_buttons_alone(newsletter: Newsletter, readers: Readers, staff: Staff) -> None:
    readers(2)
    Subscription.objects.filter(subscriber__address__startswith="reader-0001").update(cadence="weekly")
    editor = staff(groups.EDITOR)
    address = f"{LIST}of/{newsletter.pk}/new/"
    assert address in editor.get(LIST).content.decode()
    page = editor.get(address)
    assert "at least one condition" in number(page)
    page = sent(editor, address, page, "add", add="cadence", name="Weekly")
    assert "Choose a value" in number(page)
    page = sent(editor, address, page, "count", **{"value-0": "weekly"})
    assert number(page) == "1 reader"
    page = sent(editor, address, page, "add", add="joined")
    assert b'type="date"' in page.content
    page = sent(editor, address, page, f"remove-{'9' * 5000}")
    page = sent(editor, address, page, "remove-1")
    assert number(page) == "1 reader"
    saved = sent(editor, address, page, "save")
    segment = Segment.objects.get()
    assert saved["Location"] == f"{LIST}{segment.pk}/"
    assert segment.conditions == [{"field": "cadence", "op": "is", "value": "weekly"}]
    listed = " ".join(editor.get(LIST).content.decode().split())
    assert "Tech News: How often is Weekly" in listed
    assert "Saved by editor" in listed
    page = editor.get(saved["Location"])
    assert "See the readers" not in page.content.decode(), "an editor sees no address"
    assert editor.get(f"{LIST}{segment.pk}/readers/").status_code == 403
    shown = staff(groups.PUBLISHER).get(f"{LIST}{segment.pk}/readers/").content.decode()
    assert "reader-0001@" in shown
    assert "reader-0000@" not in shown
    assert editor.post(f"{LIST}{segment.pk}/delete/")["Location"] == LIST
    assert not Segment.objects.exists()


def test_the_list_of_readers_can_be_narrowed_to_one(
    newsletter: Newsletter, readers: Readers, admin_client: Client
) -> None:
    readers(2)
    Subscription.objects.filter(subscriber__address__startswith="reader-0001").update(cadence="weekly")
    lines = [segments.Condition("cadence", "is", "weekly")]
    segment = segments.save(newsletter=newsletter, name="W", lines=lines, actor=None, now=newsletter.created_at)
    page = admin_client.get(f"/admin/subscribers/subscriber/?segment={segment.pk}")
    assert [row.address for row in page.context["cl"].result_list] == ["reader-0001@readers.example"]
    assert not admin_client.get("/admin/subscribers/subscriber/?segment=0").context["cl"].result_list


def test_segments_of_other_newsletters_are_not_there(newsletter: Newsletter) -> None:
    money = make_newsletter("Money")
    lines = [segments.Condition("cadence", "is", "daily")]
    segment = segments.save(newsletter=money, name="Daily", lines=lines, actor=None, now=newsletter.created_at)
    limited = account("lea", groups.PUBLISHER)
    limits.change(
        user=limited, kind=LimitKind.NEWSLETTER, chosen=[newsletter.pk], actor=None, now=newsletter.created_at
    )
    browser = signed_in(limited)
    assert "Daily" not in browser.get(LIST).content.decode()
    for page in ("", "readers/", "letter/", "delete/"):
        assert browser.get(f"{LIST}{segment.pk}/{page}").status_code == 404
    assert browser.get(f"{LIST}of/{money.pk}/new/").status_code == 404
    # Nor can one of theirs ask who reads another newsletter.
    asked = [segments.Condition("newsletter", "is", str(money.pk))]
    with pytest.raises(segments.Unusable):
        segments.save(newsletter=newsletter, name="A", lines=asked, actor=limited, now=newsletter.created_at)
