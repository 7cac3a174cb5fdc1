"""No address, token or query string reaches a log line."""

import logging
import sys

import pytest
from django.test import Client

from newsroom import logs
from newsroom.tests import test_csrf_exemptions
from publication import language_switch


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("bounced: reader@example.com", "reader@example.com"),
        ("to <Reader.Name+tag@sub.example.com>", "Reader.Name+tag"),
        ("GET /subscribe/?address=reader%40example.com", "reader%40"),
        ("GET /search/?q=secret+plan", "secret"),
        ("POST /unsubscribe/eyJhbGciOi:1u:abc-DEF/", "eyJhbGciOi"),
        ("GET /preferences/token-part/download", "token-part"),
        ("GET /account/join/token-part/", "token-part"),
        ('"quoted name"@example.com', "@example.com"),
        ("читатель@пример.рф wrote", "читатель"),
        ("two: a@b.example,c@d.example", "c@d"),
    ],
)
def test_secrets_are_masked(line: str, secret: str) -> None:
    assert secret not in logs.mask(line)


def test_the_token_of_each_link_in_our_mails_is_masked() -> None:
    linked = [route for route in test_csrf_exemptions.EXEMPT if "<str:token>" in route]
    assert len(linked) > 9
    for route in linked:
        path = f"/{route.replace('<str:token>', 'eyJhbGciOi:1u:abc-DEF')}"
        assert "eyJhbGciOi" not in logs.mask(f"POST {path}"), route
        assert language_switch.READERS_OWN.fullmatch(path), route


@pytest.mark.parametrize("line", ["Listening on 127.0.0.1:8000", "issue 12: 40 copies accepted, 2 deferred?"])
def test_ordinary_lines_stay(line: str) -> None:
    assert logs.mask(line) == line


def test_arguments_and_tracebacks_are_masked_too() -> None:
    try:
        raise ValueError("refused by reader@example.com")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, __file__, 1, "for %s", ("me@example.org",), sys.exc_info())
    line = logs.MaskingFormatter("{levelname} {message}", style="{").format(record)
    assert "example" not in line
    assert "ValueError" in line


@pytest.mark.django_db
def test_a_wrong_host_is_answered_and_its_name_is_not_printed(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    assert client.get("/", headers={"host": "reader@example.com"}).status_code == 400
    refused = logging.getLogger("django.security.DisallowedHost")
    assert refused.hasHandlers(), "logging.lastResort would print the line unmasked"
    assert "reader" not in capfd.readouterr().err
