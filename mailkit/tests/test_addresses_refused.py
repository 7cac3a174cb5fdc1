"""What cannot be mailed is refused with one sentence that does not repeat it."""

import pytest
from pytest_django import Settings

from mailkit import addresses

REFUSED = [
    ("", "Please enter"),
    ("   ", "Please enter"),
    ("reader", "one @"),
    ("reader@", "does not exist|domain that exists"),
    ("@example.com", "not complete"),
    ("a@b@example.com", "one @"),
    ("reader＠example.com", "one @"),
    ("Reader <reader@example.com>", "address alone"),
    ("a@example.com,b@example.com", "address alone"),
    ("a@example.com;b@example.com", "address alone"),
    ("reader(comment)@example.com", "address alone"),
    ("rea der@example.com", "no spaces"),
    ("reader@exa mple.com", "no spaces"),
    ("reader@exa\u00a0mple.com", "no spaces"),
    # Measured: Django takes these five.
    ("reader@localhost", "not complete"),
    ("reader@[127.0.0.1]", "domain name"),
    ("reader@exam\u200bple.com", "invisible"),
    ("\u212aate@example.com", "plain letters"),
    ("a" * 65 + "@example.com", "too long"),
    ('"a@b"@example.com', "quotation marks"),
    ('"reader"@example.com', "quotation marks"),
    ("rea\\der@example.com", "quotation marks"),
    # A Cyrillic а among Latin letters, plain and as the A-label it becomes.
    ("reader@ex\u0430mple.com", "alphabets"),
    ("reader@xn--exmple-4nf.com", "alphabets"),
    ("reader@gοοgle.com", "alphabets"),
    # Letters in the local part that no plain mail system takes.
    ("r\u00e9ader@example.com", "plain letters"),
    ("re\u0061\u0301der@example.com", "plain letters"),
    ("читатель@example.com", "plain letters"),
    ("re\u0430der@example.com", "plain letters"),
    ("reader\uff41@example.com", "plain letters"),
    # Invisible characters.
    ("rea\u200bder@example.com", "invisible"),
    ("rea\u200dder@example.com", "invisible"),
    ("rea\u00adder@example.com", "invisible"),
    ("rea\u202eder@example.com", "invisible"),
    ("reader@exam\u00adple.com", "invisible"),
    ("reader@exam\u2060ple.com", "invisible"),
    ("rea\x00der@example.com", "invisible"),
    ("rea\x0bder@example.com", "invisible"),
    ("reader@example.com\r\nBcc: x@example.com", "invisible"),
    ("reader@exam\x1cple.com", "invisible"),
    ("rea\u2028der@example.com", "invisible"),
    ("rea\ud800der@example.com", "invisible"),
    # A joiner is allowed only between the letters that it joins.
    ("reader@exam\u200dple.com", "domain that exists"),
    # Numbers instead of names.
    ("reader@127.0.0.1", "domain name"),
    ("reader@2130706433", "domain name"),
    ("reader@0x7f.1", "domain name"),
    ("reader@[IPv6:::1]", "domain name"),
    ("reader@::1", "domain name"),
    ("reader@example.123", "domain name"),
    # Dots and hyphens.
    (".reader@example.com", "not complete"),
    ("reader.@example.com", "not complete"),
    ("rea..der@example.com", "not complete"),
    ("reader@.example.com", "domain that exists"),
    ("reader@example..com", "domain that exists"),
    ("reader@example.com..", "domain that exists"),
    ("reader@-example.com", "domain that exists"),
    ("reader@example-.com", "domain that exists"),
    ("reader@exa_mple.com", "domain that exists"),
    ("reader@example.c", "domain that exists"),
    ("reader@example.com/path", "domain that exists"),
    ("reader@" + "d" * 64 + ".com", "domain that exists"),
    ("reader@" + ".".join(["d" * 60] * 5) + ".com", "domain that exists|too long"),
    ("reader@xn--a.com", "domain that exists"),
    ("reader@xn--.com", "domain that exists"),
    ("reader@💩.la", "domain that exists"),
    ("r" * 5000, "too long"),
]


@pytest.mark.parametrize(("typed", "sentence"), REFUSED)
def test_refused_with_a_sentence(typed: str, sentence: str) -> None:
    with pytest.raises(addresses.InvalidAddress, match=sentence) as caught:
        addresses.normalise(typed)
    message = str(caught.value)
    assert message.endswith(".")
    assert not typed.strip() or typed.strip() not in message
    # A traceback shows the cause too.
    assert caught.value.__cause__ is None


RESERVED = [
    "reader@example.com", "reader@news.example.com", "reader@EXAMPLE.org", "reader@example.net", "reader@x.example",
    "reader@x.test", "reader@x.invalid", "reader@x.localhost", "reader@localhost.localdomain", "reader@printer.local",
    "reader@x.onion", "reader@router.home.arpa", "reader@x.internal", "reader@x.alt",
]  # fmt: skip


@pytest.mark.parametrize("typed", RESERVED)
def test_reserved_domains_are_refused_where_the_setting_says_so(settings: Settings, typed: str) -> None:
    settings.ADDRESS_DENY_RESERVED = True
    with pytest.raises(addresses.InvalidAddress, match="No mail can be delivered"):
        addresses.normalise(typed)


@pytest.mark.parametrize("typed", RESERVED)
def test_reserved_domains_pass_in_a_demonstration(settings: Settings, typed: str) -> None:
    settings.ADDRESS_DENY_RESERVED = False
    assert addresses.normalise(typed).key == typed.lower()


@pytest.mark.parametrize("typed", ["reader@example.de", "reader@testing.com", "reader@myexample.com"])
def test_neighbours_of_reserved_domains_pass(settings: Settings, typed: str) -> None:
    settings.ADDRESS_DENY_RESERVED = True
    assert addresses.normalise(typed).address == typed
