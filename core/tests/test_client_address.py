"""Only our own proxies are believed about who asks."""

import pytest
from django.test import RequestFactory

from core import client_address

FORWARDED = "6.6.6.6, 203.0.113.9, 10.0.0.2"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, FORWARDED, "192.0.2.1"),
        (1, FORWARDED, "10.0.0.2"),
        (2, FORWARDED, "203.0.113.9"),
        (3, FORWARDED, "6.6.6.6"),
        (4, FORWARDED, "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "garbage", "192.0.2.1"),
        (1, "6.6.6.6, unknown", "192.0.2.1"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "fe80::1%eth0", "fe80::1"),
    ],
)
def test_the_client_is_who_our_outermost_proxy_saw(
    settings: object, proxies: int, forwarded: str, expected: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies  # type: ignore[attr-defined]  # pytest-django's settings fixture
    request = RequestFactory().get("/", HTTP_X_FORWARDED_FOR=forwarded, REMOTE_ADDR="192.0.2.1")

    assert client_address.client_ip(request) == expected


def test_a_proxy_that_adds_no_header_leaves_its_own_address(settings: object) -> None:
    settings.TRUSTED_PROXIES = 1  # type: ignore[attr-defined]  # pytest-django's settings fixture

    assert client_address.client_ip(RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")) == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("for=6.6.6.6, for=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
        ('proto=https; For="[2001:db8::1]:4711"', "2001:db8::1"),
        ("for=unknown", "192.0.2.1"),
        ("for=_hidden", "192.0.2.1"),
        ("by=10.0.0.1", "192.0.2.1"),
        ("", "192.0.2.1"),
    ],
)
def test_the_standard_header_is_read_too(settings: object, forwarded: str, expected: str) -> None:
    settings.TRUSTED_PROXIES, settings.CLIENT_ADDRESS_HEADER = 1, "Forwarded"  # type: ignore[attr-defined]  # as above
    request = RequestFactory().get(
        "/", HTTP_FORWARDED=forwarded, HTTP_X_FORWARDED_FOR="6.6.6.6", REMOTE_ADDR="192.0.2.1"
    )

    assert client_address.client_ip(request) == expected


def test_without_any_address_there_is_none() -> None:
    assert client_address.client_ip(RequestFactory().get("/", REMOTE_ADDR="")) is None
