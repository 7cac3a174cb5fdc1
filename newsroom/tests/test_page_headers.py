"""What every answer tells the browser: reader pages are strict, the admin is as strict as its toolkit allows."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path).headers["Content-Security-Policy"]
    parts = (part.strip().partition(" ") for part in header.split(";"))
    return {name: sources for name, _, sources in parts}


@pytest.mark.parametrize("path", ["/", "/subscribe/", "/newsletters/", "/search/"])
def test_reader_pages_allow_nothing_from_outside(client: Client, path: str) -> None:
    found = policy(client, path)
    assert found["default-src"] == "'none'"
    assert found["frame-ancestors"] == "'none'"
    assert not any("unsafe" in sources or "*" in sources for sources in found.values())


@pytest.mark.parametrize("path", ["/", "/subscribe/", "/newsletters/", "/search/"])
def test_reader_pages_set_no_cookie(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert not answer.cookies


def test_the_admin_may_not_be_framed_by_others_nor_load_from_them(client: Client) -> None:
    found = policy(client, "/admin/login/")
    assert found["default-src"] == "'none'"
    assert found["frame-ancestors"] == "'self'"
    assert "'unsafe-inline'" not in found["script-src"]


@pytest.mark.parametrize("path", ["/", "/admin/login/"])
def test_browsers_are_told_not_to_guess(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
