"""Nobody is mailed without their own yes to this newsletter; and the texts that they agreed to are hashed again."""

import hashlib
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from subscribers import consent, signup, verification
from subscribers import evidence as proofs
from subscribers.models import ConsentEvent, LegalVersion, Newsletter, Subscription
from subscribers.tests.conftest import import_text
from subscribers.tests.test_consent_chain import an_intruder
from tests.cast import BOB, RITA, ask, confirmed, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db


def mailable() -> set[str]:
    subscriptions = Subscription.objects.mailable(now=timezone.now())
    return set(subscriptions.values_list("subscriber__address", flat=True))


def of_somebody_else(rita: Subscription, product: Newsletter) -> ConsentEvent:
    event = confirmed(BOB, rita.newsletter).consent_event
    assert event is not None
    return event


def of_another_newsletter(rita: Subscription, product: Newsletter) -> ConsentEvent:
    event = confirmed(RITA, product).consent_event
    assert event is not None
    return event


def a_request(rita: Subscription, product: Newsletter) -> ConsentEvent:
    return ConsentEvent.objects.get(kind="requested", newsletter_slug=rita.newsletter.slug)


def a_withdrawal(rita: Subscription, product: Newsletter) -> ConsentEvent:
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="test", now=timezone.now())
    return ConsentEvent.objects.get(kind="withdrawn")


def an_import_without_a_basis(rita: Subscription, product: Newsletter) -> ConsentEvent:
    with transaction.atomic():
        return consent.record(
            subscriber=rita.subscriber,
            newsletter=rita.newsletter,
            event=ConsentEvent.Kind.IMPORTED,
            evidence=consent.Evidence(source="import"),
            now=timezone.now(),
        )


@rows("event", [of_somebody_else, of_another_newsletter, a_request, a_withdrawal, an_import_without_a_basis])
def test_another_event_proves_nothing(
    rita: Subscription, product: Newsletter, event: Callable[[Subscription, Newsletter], ConsentEvent]
) -> None:
    assert RITA in mailable()
    proof = event(rita, product)
    Subscription.objects.filter(pk=rita.pk).update(state="confirmed", consent_event=proof)

    assert not Subscription.objects.filter(pk=rita.pk).mailable(now=timezone.now()).exists()


def test_confirmations_and_imports_with_a_basis_prove(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    import_text(f"email\n{BOB}\n", newsletter)

    assert mailable() == {RITA, BOB}


def test_a_newsletter_keeps_the_slug_by_which_its_proof_names_it(rita: Subscription, product: Newsletter) -> None:
    with pytest.raises(IntegrityError, match="keeps its slug"), transaction.atomic():
        Newsletter.objects.filter(pk=rita.newsletter_id).update(slug="renamed")

    assert Newsletter.objects.filter(pk=product.pk).update(slug="renamed") == 1


def test_an_overwritten_text_is_found(newsletter: Newsletter, texts: list[LegalVersion]) -> None:
    confirmed(RITA, newsletter)
    with an_intruder("subscribers_legalversion"):
        LegalVersion.objects.filter(pk=texts[0].pk).update(body_html="<p>Pay us.</p>")

    faults = verification.verify().faults
    assert faults == [
        "The text of Terms of use, version 1 was changed after it was published.",
        "Version 1 of “terms-of-use”, which 2 events name, is not stored as it was shown.",
    ]
    with pytest.raises(CommandError, match="was changed after it was published"):
        call_command("verify_consent", stdout=StringIO())
    shown = {
        text["document"]: text["is_as_shown"]
        for text in proofs.of(address=RITA, actor=None, now=timezone.now())["texts"]
    }
    assert shown == {"terms-of-use": False, "privacy": True}


def test_a_text_and_its_hash_overwritten_together_are_found(newsletter: Newsletter, texts: list[LegalVersion]) -> None:
    confirmed(RITA, newsletter)
    words = "<p>Pay us.</p>"
    with an_intruder("subscribers_legalversion"):
        LegalVersion.objects.filter(pk=texts[0].pk).update(
            body_html=words, sha256=hashlib.sha256(words.encode()).hexdigest()
        )

    assert verification.verify().faults == [
        "Version 1 of “terms-of-use”, which 2 events name, is not stored as it was shown."
    ]
    assert not all(text["is_as_shown"] for text in proofs.of(address=RITA, actor=None, now=timezone.now())["texts"])


def test_an_unconfirmed_reader_is_not_mailed(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)

    assert mailable() == set()
