"""What a bounce is about: the mailbox, us, or the moment."""

import pytest

from postal import bounces

GONE = bounces.Bounce(hard=True, about_mailbox=True)
REFUSED = bounces.Bounce(hard=True, about_mailbox=False)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("550 5.1.1 The email account does not exist", GONE),
        ("550-5.1.1 no such user", GONE),
        ("554 5.1.2 Bad destination system", GONE),
        ("556 5.1.10 Recipient address has null MX", GONE),
        ("550 5.2.1 The mailbox is disabled", GONE),
        ("552 5.2.2 Mailbox full", bounces.SOFT),
        ("552 5.2.3 Message length exceeds limit", REFUSED),
        ("550 5.7.1 Message rejected as spam", REFUSED),
        ("550-5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy", REFUSED),
        ("550 5.7.515 Access denied, sending domain does not meet the level", REFUSED),
        ("550 5.4.1 Recipient address rejected: Access denied", GONE),
        ("550 5.4.4 Host or domain name not found", bounces.SOFT),
        ("554 5.4.6 Too many hops", bounces.SOFT),
        ("550 5.4.7 Delivery time expired", bounces.SOFT),
        ("554 5.4.14 Hop count exceeded", bounces.SOFT),
        ("552 5.3.1 Mail system full", bounces.SOFT),
        ("521 5.3.2 System not accepting network messages", bounces.SOFT),
        ("552 5.3.4 Message too big for system", REFUSED),
        ("452 4.2.2 The email account is over quota", bounces.SOFT),
        ("421 4.7.0 Try again later", bounces.SOFT),
    ],
)
def test_the_servers_code_decides(reply: str, expected: bounces.Bounce) -> None:
    bounce = bounces.classify(provider="mailgun", reject_reason="bounced", reply=reply, payload={})

    assert bounce == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("invalid", GONE),
        ("bounced", GONE),
        ("timed_out", bounces.SOFT),
        ("blocked", REFUSED),
        ("spam", REFUSED),
        ("unsubscribed", REFUSED),
        ("other", REFUSED),
        ("a word of next year", REFUSED),
        (None, REFUSED),
    ],
)
def test_without_a_code_the_providers_reason_decides(reason: str | None, expected: bounces.Bounce) -> None:
    assert bounces.classify(provider="mailgun", reject_reason=reason, reply="No.", payload={}) == expected


@pytest.mark.parametrize("reply", ["550 5.0.0 User unknown", "550 from 5.1.1.7 refused", "550 1.5.7.1 refused"])
def test_a_code_that_says_nothing_and_an_ip_address_are_not_a_verdict(reply: str) -> None:
    assert bounces.classify(provider="mailgun", reject_reason="bounced", reply=reply, payload={}) == GONE


@pytest.mark.parametrize(
    ("provider", "payload"),
    [
        ("postmark", {"Type": "SoftBounce"}),
        ("brevo", {"event": "soft_bounce"}),
        ("mandrill", {"event": "soft_bounce"}),
        ("mailjet", {"hard_bounce": False}),
        ("amazon_ses", {"bounce": {"bounceType": "Transient"}}),
        ("sparkpost", {"msys": {"message_event": {"bounce_class": "22"}}}),
    ],
)
def test_a_providers_own_word_for_soft_counts(provider: str, payload: dict[str, object]) -> None:
    bounce = bounces.classify(provider=provider, reject_reason="bounced", reply="", payload=payload)

    assert bounce == bounces.SOFT


def test_a_word_of_another_provider_means_nothing() -> None:
    bounce = bounces.classify(provider="brevo", reject_reason="bounced", reply="", payload={"Type": "SoftBounce"})

    assert bounce == GONE


@pytest.mark.parametrize("payload", [None, [], "soft_bounce", {"bounce": None}, {"bounce": {"bounceType": []}}, 7])
def test_an_odd_payload_is_survived(payload: object) -> None:
    assert bounces.classify(provider="amazon_ses", reject_reason=None, reply="", payload=payload) == REFUSED
