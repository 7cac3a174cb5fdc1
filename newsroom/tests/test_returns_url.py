"""RETURNS_URL and RETURN_DOMAIN: what they mean, and one sentence for what they may not be."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from newsroom import checks, returns_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("imaps://u:p%40@m.example.org/INBOX", (993, "implicit", "INBOX", "p@")),
        ("imap://u:p@m.example.org/Returned/Mail?tls=1", (143, "starttls", "Returned/Mail", "p")),
        ("imap://u:p@m.example.org:1430/", (1430, "none", "INBOX", "p")),
    ],
)
def test_a_mailbox_is_named_by_a_url(url: str, expected: tuple[object, ...]) -> None:
    mailbox = returns_url.read(url)
    assert mailbox is not None
    assert (mailbox.port, mailbox.tls, mailbox.folder, mailbox.password) == expected
    assert (mailbox.host, mailbox.username) == ("m.example.org", "u")


def test_none_is_none() -> None:
    assert returns_url.read("") is None
    assert returns_url.domain("") == ""


@pytest.mark.parametrize("url", ["http://u:secret@m.example.org", "imaps://m.example.org", "imaps://u:@m.example.org"])
def test_anything_else_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="RETURNS_URL must") as caught:
        returns_url.read(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["pop3", "pop3s"])
def test_pop3_is_refused_with_what_to_use_instead(scheme: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"not POP3: use imaps://, or LMTP"):
        returns_url.read(f"{scheme}://u:p@m.example.org")


def test_a_domain_is_plain() -> None:
    assert returns_url.domain(" Bounces.Example.ORG. ") == "bounces.example.org"


@pytest.mark.parametrize("text", ["news@example.org", "localhost", "a b.example.org", "10.0.0.1", "-a.example.org"])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="RETURN_DOMAIN must"):
        returns_url.domain(text)


@pytest.mark.parametrize(
    ("url", "refused"),
    [("imap://u:p@m.example.org", True), ("imap://u:p@m.example.org?tls=1", False), ("imap://u:p@127.0.0.1", False)],
)
def test_in_production_the_password_does_not_travel_in_the_clear(settings: Any, url: str, refused: bool) -> None:
    settings.DEBUG = False
    settings.RETURNS = returns_url.read(url)
    assert ("newsroom.E010" in {error.id for error in checks.production()}) is refused
