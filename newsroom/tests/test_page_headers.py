"""What every response tells the browser: reader pages and the admin are strict."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client

pytestmark = pytest.mark.django_db


def policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path).headers["Content-Security-Policy"]
    parts = (part.strip().partition(" ") for part in header.split(";"))
    return {name: sources for name, _, sources in parts}


@pytest.mark.parametrize("path", ["/", "/subscribe/", "/newsletters/", "/search/"])
def test_reader_pages_allow_nothing_from_outside(client: Client, path: str) -> None:
    directives = policy(client, path)
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert not any("unsafe" in sources or "*" in sources for sources in directives.values())


@pytest.mark.parametrize("path", ["/", "/subscribe/", "/newsletters/", "/search/"])
def test_reader_pages_set_no_cookie(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert not response.cookies


PUBLIC = ["/", "/search/", "/subscribe/", "/subscribe/sent/", "/preferences/", "/preferences/sent/", "/newsletters/"]


@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_may_be_kept_and_are_asked_about_again(client: Client, path: str) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, 10, tzinfo=UTC)):
        first = client.get(path)
        assert first["Cache-Control"] == "public, max-age=0, must-revalidate"
        assert client.get(path, headers={"if-none-match": first["ETag"]}).status_code == 304
    assert client.head(path).status_code == 200
    assert client.put(path).status_code == 405


@pytest.mark.parametrize("path", ["/subscribe/", "/preferences/"])
def test_what_somebody_typed_is_kept_nowhere(client: Client, path: str) -> None:
    response = client.post(path, {"address": "rita at reader"})
    assert (response.status_code, response["Cache-Control"]) == (422, "no-store, private")


def test_the_admin_may_not_be_framed_by_others_nor_load_from_them(client: Client) -> None:
    directives = policy(client, "/admin/login/")
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'self'"
    assert directives["script-src"] == "'self'"
    assert not any("unsafe" in sources or "*" in sources for sources in directives.values())


@pytest.mark.parametrize(
    "path", ["/", "/admin/login/", "/no/such/page/", "/healthz", "/media/none.jpg", "/feed.rss", "/admin/?q=%00"]
)
def test_no_page_may_use_the_camera_or_ask_where_somebody_is(client: Client, path: str) -> None:
    header = client.get(path).headers["Permissions-Policy"]
    denied = dict(part.split("=") for part in header.split(", "))
    assert set(denied.values()) == {"()"}
    assert {"camera", "microphone", "geolocation", "payment", "usb"} <= set(denied)


def test_the_parts_of_a_page_do_not_carry_the_policy_of_pages(client: Client) -> None:
    response = client.get("/site-000000000000.css")
    assert response.status_code == 200
    assert "Permissions-Policy" not in response.headers


@pytest.mark.parametrize("path", ["/", "/admin/login/"])
def test_browsers_are_told_not_to_guess(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


def test_only_a_page_that_is_shown_brings_colours_under_its_nonce(admin_client: Client) -> None:
    # A script reads what it asked for under the policy of the page it runs in, whose nonce is another.
    style = b'<style id="unfold-theme-colors" nonce="'
    assert style in admin_client.get("/admin/", headers={"Sec-Fetch-Dest": "document"}).content
    assert style in admin_client.get("/admin/").content
    assert style not in admin_client.get("/admin/", headers={"Sec-Fetch-Dest": "empty"}).content
