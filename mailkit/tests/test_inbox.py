"""The inbox shows what was sent, runs nothing that is in it, and exists only while developing."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from pytest_django import Settings

from mailkit import local_mail

HTML = (
    "<html><head><title>x</title></head><body><p>Hello</p>"
    "<script>alert(1)</script><a href='/confirm/x/'>y</a></body></html>"
)
PAGES = ["", "text/", "headers/", "source/", "body/"]


@pytest.fixture
def client(settings: Settings, mailbox: Path) -> Client:
    """A browser of a developer."""
    assert not mailbox.exists()
    settings.DEBUG = True
    settings.EMAIL_TRANSPORT = "local"
    settings.ROOT_URLCONF = "mailkit.tests.inbox_urls"
    settings.STORAGES = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    return Client(enforce_csrf_checks=True)


def put(now: datetime, **changes: Any) -> str:
    given = {
        "subject": "Grüße",
        "recipient": "reader@example.com",
        "text": "See https://x.test/a",
        "html": HTML,
    } | changes
    mail = EmailMultiAlternatives(given["subject"], given["text"], "News <news@example.com>", [given["recipient"]])
    if given["html"]:
        mail.attach_alternative(given["html"], "text/html")
    raw = mail.message().as_bytes()
    return local_mail.write(raw, envelope_from="news@example.com", recipient=given["recipient"], now=now).name


def read(client: Client, path: str) -> BeautifulSoup:
    response = client.get(path)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    return BeautifulSoup(response.content, "html5lib")


def test_an_empty_inbox_says_what_to_do(client: Client) -> None:
    assert "Subscribe on the site" in read(client, "/inbox/").get_text()


def test_newest_first(client: Client, now: datetime) -> None:
    for minutes in (1, 3, 2):
        put(now + timedelta(minutes=minutes), subject=f"Mail {minutes}")
    subjects = [item.get_text() for item in read(client, "/inbox/").select(".mails-subject")]
    assert subjects == ["Mail 3", "Mail 2", "Mail 1"]


def test_pages_of_fifty(client: Client, now: datetime) -> None:
    for minutes in range(51):
        put(now + timedelta(minutes=minutes))
    assert len(read(client, "/inbox/").select(".mails li")) == 50
    assert len(read(client, "/inbox/?page=2").select(".mails li")) == 1


def test_a_browser_may_send_the_search(client: Client) -> None:
    """Under no-referrer a browser posts `Origin: null`, which the CSRF check refuses."""
    referrer = read(client, "/inbox/").select_one("meta[name=referrer]")
    assert referrer is not None
    assert referrer["content"] == "same-origin"


def test_search_by_recipient_leaves_no_address_in_a_url(client: Client, now: datetime) -> None:
    put(now)
    put(now, recipient="other@example.com")
    form = read(client, "/inbox/").select_one("form")
    assert form is not None
    assert form["method"] == "post"
    token = form.select_one("[name=csrfmiddlewaretoken]")
    assert token is not None
    data = {"recipient": "Other@", "csrfmiddlewaretoken": str(token["value"])}
    page = BeautifulSoup(client.post("/inbox/", data).content, "html5lib")
    assert [item.get_text() for item in page.select(".mails-to")] == ["other@example.com"]
    nothing = client.post("/inbox/", {**data, "recipient": "nobody"})
    assert "No mail went to" in nothing.content.decode()


def test_each_part_of_a_mail(client: Client, now: datetime) -> None:
    name = put(now)
    assert "reader@example.com" in read(client, f"/inbox/{name}/").get_text()
    assert read(client, f"/inbox/{name}/text/").select_one("a[href='https://x.test/a']")
    headers = read(client, f"/inbox/{name}/headers/").get_text()
    assert "Grüße" in headers
    assert "Content-Type" in headers
    assert "Subject: =?utf-8?" in read(client, f"/inbox/{name}/source/").get_text()


def test_html_is_framed_without_an_origin_or_scripts(client: Client, now: datetime) -> None:
    name = put(now)
    frame = read(client, f"/inbox/{name}/").select_one("iframe")
    assert frame is not None
    assert "allow-same-origin" not in frame["sandbox"]
    assert "allow-scripts" not in frame["sandbox"]
    response = client.get(str(frame["src"]))
    policy = response["Content-Security-Policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert '<head><base target="_blank"><title>' in response.content.decode()


def test_a_mail_cannot_speak_on_the_inboxs_own_pages(client: Client, now: datetime) -> None:
    attack = "<script>alert(1)</script>"
    name = put(now, subject=attack, text=attack)
    for path in ("/inbox/", *(f"/inbox/{name}/{page}" for page in PAGES if page != "body/")):
        response = client.get(path)
        assert attack not in response.content.decode()
        assert "script-src" not in response["Content-Security-Policy"]
        assert "default-src 'none'" in response["Content-Security-Policy"]


def test_a_mail_without_html(client: Client, now: datetime) -> None:
    name = put(now, html="")
    assert "no HTML part" in read(client, f"/inbox/{name}/").get_text()
    assert client.get(f"/inbox/{name}/body/").status_code == 404


@pytest.mark.parametrize("name", ["x", "..", "20250506T093000.000000Z-" + "0" * 32 + ".eml", "%2e%2e%2fmanage.py"])
def test_unknown_mails_are_not_found(client: Client, name: str) -> None:
    for page in PAGES:
        assert client.get(f"/inbox/{name}/{page}").status_code == 404


@pytest.mark.parametrize(("debug", "transport"), [(False, "local"), (True, "smtp"), (True, "esp")])
def test_nothing_to_see_outside_development(
    client: Client, settings: Settings, now: datetime, debug: bool, transport: str
) -> None:
    name = put(now)
    settings.DEBUG, settings.EMAIL_TRANSPORT = debug, transport
    for path in ("/inbox/", *(f"/inbox/{name}/{page}" for page in PAGES)):
        assert client.get(path).status_code == 404
