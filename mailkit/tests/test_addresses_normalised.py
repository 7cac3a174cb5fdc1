"""One mailbox has one key, however it is typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit import addresses


@pytest.mark.parametrize(
    ("typed", "address", "key"),
    [
        ("reader@Example.COM", "reader@example.com", "reader@example.com"),
        ("Reader.Name@example.com", "Reader.Name@example.com", "reader.name@example.com"),
        ("  reader@example.com\r\n", "reader@example.com", "reader@example.com"),
        ("\ufeffreader@example.com\u00a0", "reader@example.com", "reader@example.com"),
        ("reader@example.com.", "reader@example.com", "reader@example.com"),
        ("reader@straße.de", "reader@xn--strae-oqa.de", "reader@xn--strae-oqa.de"),
        ("reader@STRASSE.de", "reader@strasse.de", "reader@strasse.de"),
        ("reader@XN--STRAE-OQA.DE", "reader@xn--strae-oqa.de", "reader@xn--strae-oqa.de"),
        ("reader@mu\u0308nchen.de", "reader@xn--mnchen-3ya.de", "reader@xn--mnchen-3ya.de"),
        ("reader@münchen.de", "reader@xn--mnchen-3ya.de", "reader@xn--mnchen-3ya.de"),
        ("reader@\uff45xample\u3002com", "reader@example.com", "reader@example.com"),
        ("reader@\u212aelvin.com", "reader@kelvin.com", "reader@kelvin.com"),
        ("reader@почта.рф", "reader@xn--80a1acny.xn--p1ai", "reader@xn--80a1acny.xn--p1ai"),
        ("reader@نامه\u200cای.com", "reader@xn--mgba3gch31f060k.com", "reader@xn--mgba3gch31f060k.com"),
        ("reader@r3--x.example.com", "reader@r3--x.example.com", "reader@r3--x.example.com"),
        ("o'brien+news@example.com", "o'brien+news@example.com", "o'brien+news@example.com"),
        ("!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com"),
    ],
)
def test_address_and_key(typed: str, address: str, key: str) -> None:
    normalised = addresses.normalise(typed)
    assert (normalised.address, normalised.key) == (address, key)
    assert normalised.domain == address.rpartition("@")[2]


def test_sharp_s_keeps_its_own_domain() -> None:
    """IDNA 2003 would send the first reader's mail to the second one's domain."""
    assert addresses.normalise("a@straße.de").key != addresses.normalise("a@strasse.de").key


@pytest.mark.parametrize("local", ["a" * 64, "a", "1", "x.y.z"])
def test_local_parts_up_to_the_limit(local: str) -> None:
    assert addresses.normalise(f"{local}@example.com").address.startswith(f"{local}@")


def test_an_address_of_254_octets_passes_and_of_255_does_not() -> None:
    domain = ".".join(["d" * 61] * 3) + ".com"
    local = "l" * (254 - 1 - len(domain))
    assert len(addresses.normalise(f"{local}@{domain}").address) == 254
    with pytest.raises(addresses.InvalidAddress, match="too long"):
        addresses.normalise(f"{local}x@{domain}")


@given(st.text(max_size=80))
def test_whatever_is_typed_is_refused_or_has_a_stable_key(raw: str) -> None:
    _assert_stable(raw)


LOCALS = st.text(st.sampled_from("aZ09.+-_'\u212a\u0131İßé\u200b"), min_size=1, max_size=12)
DOMAINS = st.text(st.sampled_from("aZ0.-ßéеК\u212a\u200b\u200d\u3002\uff0e\u00adxn"), min_size=1, max_size=16)


@given(LOCALS, DOMAINS)
def test_look_alikes_are_refused_or_have_a_stable_key(local: str, domain: str) -> None:
    _assert_stable(f"{local}@{domain}.com")


@given(st.from_regex(r"[A-Za-z0-9._+-]{1,20}@[A-Za-z0-9.-]{1,20}\.[A-Za-z]{2,6}", fullmatch=True))
def test_plain_addresses_are_refused_or_have_a_stable_key(raw: str) -> None:
    _assert_stable(raw)


def _assert_stable(raw: str) -> None:
    try:
        once = addresses.normalise(raw)
    except addresses.InvalidAddress:
        return
    for spelling in (once.address, once.key, once.address.upper(), f" {once.address} "):
        assert addresses.normalise(spelling).key == once.key
    assert once.address.isascii()
    assert once.address.count("@") == 1
    assert len(once.address) <= 254
    assert once.domain == once.domain.lower()
