"""A newsletter demands a version of a legal text: who agreed to what, who would be lost, and that none is for good."""

import pytest
from django.utils import timezone

from publication import languages
from publication.models import Publication
from staff.models import AuditEvent
from subscribers import consent, demands, legal, preferences, signup, standing, unmailed
from subscribers.models import LegalVersion, Newsletter, Subscription
from subscribers.tests.test_mailed_only_with_consent import mailable
from tests.cast import BOB, RITA, confirmed, evidence, import_readers

pytestmark = pytest.mark.django_db
NEWCOMER, LISTED = "new@reader.org", "listed@reader.org"


def publish(like: LegalVersion, text: str, language: str = "", of: LegalVersion | None = None) -> LegalVersion:
    version = legal.draft(
        document=like.document, body_markdown=text, language=language, translation_of=of, now=timezone.now()
    )
    return legal.publish_version(version=version, actor=None, now=timezone.now())


def demand(newsletter: Newsletter, version: LegalVersion) -> standing.Loss:
    return demands.demand(newsletter=newsletter, version=version, actor=None, now=timezone.now())


def test_who_agreed_to_an_older_text_is_not_mailed_until_the_demand_is_withdrawn(
    newsletter: Newsletter, product: Newsletter, texts: list[LegalVersion]
) -> None:
    for address in (RITA, BOB):
        confirmed(address, newsletter)
    confirmed(RITA, product)
    import_readers(LISTED, newsletter=newsletter)
    second = publish(texts[0], "Be kinder.")
    confirmed(NEWCOMER, newsletter)
    [terms, _privacy] = standing.of(newsletters=[newsletter])
    steps = [(step.version.number if step.version else 0, step.readers) for step in terms.steps]
    assert steps == [(2, 1), (1, 2), (0, 1)]
    assert terms.loss(texts[0]) == standing.Loss(readers=4, lost=1), "who was imported agreed to no text"

    assert demand(newsletter, second) == terms.loss(second) == standing.Loss(readers=4, lost=3)

    assert mailable() == {NEWCOMER, RITA}, "Rita reads the other newsletter, which demands nothing"
    now = timezone.now()
    mine = Subscription.objects.filter(newsletter=newsletter)
    assert mine.confirmed().count() == 4, "nobody was unsubscribed"
    left_out = unmailed.among(mine, now=now)
    assert (left_out.behind, left_out.suppressed, left_out.unproved) == (3, 0, 0)
    assert "3 because the reader has not agreed to the legal text" in str(left_out)
    assert AuditEvent.objects.get(action="text_demanded").detail["lost"] == 3

    assert demands.withdraw(newsletter=newsletter, document=second.document, actor=None, now=now)
    assert not demands.withdraw(newsletter=newsletter, document=second.document, actor=None, now=now)
    assert mailable() == {RITA, BOB, LISTED, NEWCOMER}


def test_a_translation_of_the_version_counts_alike(newsletter: Newsletter, texts: list[LegalVersion]) -> None:
    Publication.objects.update(further_languages=["ru"])
    second = publish(texts[0], "Be kinder.")
    # Its number is higher than that of the second version, and it is the first one.
    first_in_russian = publish(texts[0], "Будьте добры.", "ru", of=texts[0])
    with languages.override("ru"):
        confirmed(BOB, newsletter)
    with pytest.raises(demands.CannotDemand, match=r"an older text: Русский"):
        demand(newsletter, second)
    publish(texts[0], "Будьте добрее.", "ru", of=second)
    with languages.override("ru"):
        confirmed(RITA, newsletter)

    with pytest.raises(demands.CannotDemand, match="public version"):
        demand(newsletter, first_in_russian)
    assert demand(newsletter, texts[0]).lost == 0
    assert demand(newsletter, second).lost == 1
    assert mailable() == {RITA}
    with pytest.raises(legal.TooOld, match="demands version 2, and this text translates version 1"):
        publish(texts[0], "Будьте милы.", "ru", of=texts[0])


def test_a_document_may_be_renamed_and_a_cadence_changed(newsletter: Newsletter, texts: list[LegalVersion]) -> None:
    subscription = confirmed(RITA, newsletter)
    demand(newsletter, texts[0])
    demand(newsletter, texts[1])
    texts[0].document.slug = "rules"
    texts[0].document.save()
    preferences.change_cadence(
        subscription=subscription, cadence="weekly", evidence=consent.Evidence(), now=timezone.now()
    )
    assert mailable() == {RITA}


def test_who_subscribes_again_as_before_is_where_they_were(newsletter: Newsletter, texts: list[LegalVersion]) -> None:
    subscription, now = confirmed(RITA, newsletter), timezone.now()
    demand(newsletter, publish(texts[1], "We keep less."))
    signup.unsubscribe(subscription=subscription, evidence=evidence(), reason="one_click", now=now)
    signup.subscribe_proven(
        subscriber=subscription.subscriber, wishes=[(newsletter, "daily")], evidence=consent.Evidence(),
        as_before=True, now=now,
    )  # fmt: skip
    assert mailable() == set()
