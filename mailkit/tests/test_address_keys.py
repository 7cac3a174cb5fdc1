"""The keys and masks that replace an address where the address itself does not belong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from mailkit import addresses


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Reader+News@example.com", "reader@example.com"),
        ("r.e.a.d.e.r+x@gmail.com", "reader@gmail.com"),
        ("Reader@googlemail.com", "reader@gmail.com"),
        ("r.eader@example.com", "r.eader@example.com"),
        ("+tag@example.com", "+tag@example.com"),
        ("a+b+c@example.com", "a@example.com"),
    ],
)
def test_throttle_key_folds_the_spellings_of_one_mailbox(typed: str, key: str) -> None:
    assert addresses.throttle_key(addresses.normalise(typed)) == key


def test_throttle_key_is_not_the_identity() -> None:
    one, other = addresses.normalise("a.b@gmail.com"), addresses.normalise("ab@gmail.com")
    assert addresses.throttle_key(one) == addresses.throttle_key(other)
    assert one.key != other.key


def test_hash_is_64_hex_digits_and_depends_on_the_key(settings: Settings) -> None:
    settings.ADDRESS_HASH_KEY = "one"
    first = addresses.keyed_hash("reader@example.com")
    assert len(first) == 64
    assert set(first) <= set("0123456789abcdef")
    assert first == addresses.keyed_hash("reader@example.com")
    assert first != addresses.keyed_hash("reader2@example.com")
    settings.ADDRESS_HASH_KEY = "two"
    assert addresses.keyed_hash("reader@example.com") != first


def test_hash_does_not_depend_on_the_signing_key(settings: Settings) -> None:
    before = addresses.keyed_hash("reader@example.com")
    settings.SECRET_KEY = "rotated"
    assert addresses.keyed_hash("reader@example.com") == before


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("reader@example.com", "r…@e…e.com"),
        ("r@ab.co.uk", "r…@a….co.uk"),
        ("reader@xn--strae-oqa.de", "r…@x…a.de"),
        ("no address", "…"),
    ],
)
def test_mask(address: str, shown: str) -> None:
    assert addresses.mask(address) == shown


@given(st.from_regex(r"[a-z]{4,20}@[a-z]{5,20}\.com", fullmatch=True))
def test_mask_never_shows_the_names(address: str) -> None:
    local, _, domain = address.partition("@")
    assert local not in addresses.mask(address)
    assert domain not in addresses.mask(address)
