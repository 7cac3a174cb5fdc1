"""Renders letters: the context of templates/letters/<kind>/ at the time of sending."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.reasons import Reason
from mailkit import addresses, html, message, mjml
from publication import languages
from publication import urls as site
from publication.models import Publication
from subscribers import legal, links, suppression
from subscribers.address_change_model import End
from subscribers.letter_reasons import LetterReason
from subscribers.letters import series
from subscribers.models import AddressChange, Cadence, Letter, Subscriber, Subscription, Suppression, WelcomeLetter

Facts = dict[str, Any]


class NotYet(Exception):
    """The letter has to wait for an earlier one of its series."""


class CannotBeShown(Exception):
    """The text of a letter makes no mail; str() is a sentence for its editor."""


class NotNeeded(Exception):
    """The letter has become pointless, or its reader must not get mail."""

    def __init__(self, reason: LetterReason, state: Letter.State) -> None:
        super().__init__(reason)
        self.reason, self.state = Reason(reason), state


def build(*, letter: Letter, now: datetime) -> EmailMultiAlternatives:
    """Render the letter as of now, in its reader's language. Its Message-ID is the same in every rendering.

    On failure: NotNeeded when its subscriptions have moved on or the address is
    suppressed; NotYet; any exception of `message.letter` when it cannot be rendered.
    """
    _check_suppression(letter)
    subscriptions = _still_meant(letter)
    publication = Publication.objects.current()
    # The worker may still have the language of the previous letter active.
    with languages.override(_language(letter, subscriptions), publication=publication):
        if letter.kind == Letter.Kind.SERIES:
            return _of_series(letter, subscriptions, publication, now)
        sender = publication.sender()
        return message.letter(
            name=letter.kind,
            context={**_frame(letter, publication), **FACTS[Letter.Kind(letter.kind)](letter, subscriptions, now)},
            to=_recipient(letter),
            sender=sender,
            headers=_headers(letter, subscriptions),
            message_id=_message_id(letter, sender),
        )


def _of_series(
    letter: Letter, subscriptions: list[Subscription], publication: Publication, now: datetime
) -> EmailMultiAlternatives:
    """One of the welcome series: from its newsletter, to a reader who may be mailed, in order."""
    if (reason := series.refusal(letter=letter, now=now)) is not None:
        raise NotNeeded(reason, Letter.State.EXPIRED)
    if series.must_wait(letter=letter):
        raise NotYet
    sender = series.sender(newsletter=subscriptions[0].newsletter, publication=publication)
    context = {**_frame(letter, publication), **_series(letter, subscriptions, now)}
    mail = message.letter(
        name=letter.kind,
        context=context,
        to=_recipient(letter),
        sender=sender,
        headers=series.headers(subscription=subscriptions[0], author=sender),
        message_id=_message_id(letter, sender),
    )
    return series.filled(mail, context=context)


def _language(letter: Letter, subscriptions: list[Subscription]) -> str:
    """The reader's; a letter of a series is in its newsletter's, if that has one."""
    own = subscriptions[0].newsletter.language if letter.kind == Letter.Kind.SERIES else ""
    return own or letter.subscriber.language


def _message_id(letter: Letter, sender: message.Sender) -> str:
    return f"<letter.{letter.uuid.hex}@{_domain(sender.address)}>"


# The state that the subscriptions must still have for the letter to make sense.
MEANT = {
    Letter.Kind.CONFIRM: Subscription.State.PENDING,
    Letter.Kind.REMINDER: Subscription.State.PENDING,
    Letter.Kind.PERMISSION: Subscription.State.PENDING,
    Letter.Kind.ALREADY: Subscription.State.CONFIRMED,
    Letter.Kind.WELCOME: Subscription.State.CONFIRMED,
    Letter.Kind.SERIES: Subscription.State.CONFIRMED,
    Letter.Kind.GOODBYE: Subscription.State.UNSUBSCRIBED,
    Letter.Kind.REDUCED: Subscription.State.CONFIRMED,
}

REASONS = {
    Letter.Kind.CONFIRM: _(
        "Somebody entered this address on our website. If it was not you, ignore this mail: "
        "you are not subscribed, and the request is forgotten after seven days."
    ),
    Letter.Kind.REMINDER: _(
        "Somebody entered this address on our website, and nobody confirmed it. If it was not you, ignore this mail: "
        "you are not subscribed, this is the only reminder, and the request is forgotten after seven days."
    ),
    Letter.Kind.PERMISSION: _(
        "Your address is on a list of readers that we were given. You get nothing more from us "
        "unless you press the button."
    ),
    Letter.Kind.ALREADY: _(
        "Somebody entered this address on our website, and it is subscribed already. Nothing was changed."
    ),
    Letter.Kind.WELCOME: _("You confirmed this subscription."),
    Letter.Kind.SERIES: _("You get this because you subscribed. It is one of a few letters for new readers."),
    Letter.Kind.GOODBYE: _("You ended this subscription. This is the last mail about it."),
    Letter.Kind.REDUCED: _("You subscribe to this newsletter, and we changed how often it comes."),
    Letter.Kind.FORMER_ADDRESS: _(
        "Somebody asked, by a link from one of our mails to you, that we write to another address. If it was not you, "
        "ignore this mail: nothing changes."
    ),
    Letter.Kind.NEW_ADDRESS: _(
        "A reader of ours asked that we write to this address from now on. If it was not you, ignore this mail: "
        "nothing changes, and the request is forgotten after three days."
    ),
    Letter.Kind.RENEWAL: _("You subscribed to our newsletters, and a legal text of ours has a newer version."),
    Letter.Kind.PREFERENCES: _(
        "Somebody asked on our website for the preferences of this address. If it was not you, ignore this mail."
    ),
}


# Who was erased may come back: by these letters the owner of the mailbox is asked. So may one whose mail only bounced.
TO_THE_ERASED = (Letter.Kind.CONFIRM, Letter.Kind.NEW_ADDRESS)
ASKING_AGAIN = {
    Suppression.Reason.ERASED: TO_THE_ERASED,
    Suppression.Reason.SOFT_BOUNCE: (*TO_THE_ERASED, Letter.Kind.ALREADY),
}


def _recipient(letter: Letter) -> str:
    """Where the letter goes: to the reader, or to the mailbox that is to be theirs."""
    return _change(letter).address if letter.kind == Letter.Kind.NEW_ADDRESS else letter.subscriber.address


def _change(letter: Letter) -> AddressChange:
    """The change of address that the letter asks about. On failure: NotNeeded, for one that is over."""
    change = AddressChange.objects.filter(subscriber_id=letter.subscriber_id).first()
    if change is None or change.asked_at > letter.created_at or change.done_at is not None:
        raise NotNeeded(LetterReason.OVERTAKEN, Letter.State.EXPIRED)
    return change


def _check_suppression(letter: Letter) -> None:
    """Refuse a suppressed address, except one whose owner signs up again and must confirm."""
    address = addresses.normalise(_recipient(letter))
    entry = suppression.find(addresses.keyed_hash(address.key))
    if entry is None or letter.kind in ASKING_AGAIN.get(Suppression.Reason(entry.reason), ()):
        return
    raise NotNeeded(LetterReason.SUPPRESSED, Letter.State.REJECTED)


def _still_meant(letter: Letter) -> list[Subscription]:
    """The letter's subscriptions that are still in the state that the letter is about."""
    if letter.kind not in MEANT:
        return []
    rows = letter.subscriptions.select_related("newsletter", "subscriber")
    subscriptions = list(rows.filter(state=MEANT[Letter.Kind(letter.kind)]).order_by("newsletter__position", "pk"))
    if not subscriptions:
        raise NotNeeded(LetterReason.OVERTAKEN, Letter.State.EXPIRED)
    return subscriptions


def _frame(letter: Letter, publication: Publication) -> Facts:
    """The context of every letter's header and footer."""
    documents = [
        (version.document.local.title, site.absolute(version.document.get_absolute_url()))
        for version in legal.current_versions()
    ]
    return {
        "publication": publication,
        "language": languages.declared(publication=publication),
        "site_url": settings.SITE_URL,
        "footer_links": [(gettext("Your preferences"), site.absolute(reverse("preferences_link"))), *documents],
        "reason": REASONS[Letter.Kind(letter.kind)],
        "name": letter.subscriber.name,
    }


def _to_confirm(_letter: Letter, subscriptions: list[Subscription], now: datetime) -> Facts:
    return {
        "choices": [_choice(row) for row in subscriptions],
        "confirm_url": links.confirm_url(subscriptions=subscriptions),
        "hours": _hours(links.CONFIRM_AGE),
    }


def _subscribed(letter: Letter, subscriptions: list[Subscription], _now: datetime) -> Facts:
    return {
        "choices": [
            {**_choice(row), "unsubscribe_url": links.unsubscribe_url(subscription=row)} for row in subscriptions
        ],
        "preferences_url": links.preferences_url(subscriber=letter.subscriber),
    }


def _already(letter: Letter, subscriptions: list[Subscription], now: datetime) -> Facts:
    is_back = suppression.only_bounced(address_hash=letter.subscriber.address_hash)
    again = {"again_url": links.confirm_url(subscriptions=subscriptions)} if is_back else {}
    return _subscribed(letter, subscriptions, now) | again


def _series(letter: Letter, subscriptions: list[Subscription], _now: datetime) -> Facts:
    if letter.welcome is None:
        raise NotNeeded(LetterReason.TURNED_OFF, Letter.State.EXPIRED)
    return {
        **series.facts(welcome=letter.welcome),
        "newsletter": subscriptions[0].newsletter.local.name,
        "footer_links": [
            (gettext("Unsubscribe"), links.unsubscribe_url(subscription=subscriptions[0])),
            (gettext("Your preferences"), links.preferences_url(subscriber=letter.subscriber)),
        ],
    }


def _ended(_letter: Letter, subscriptions: list[Subscription], _now: datetime) -> Facts:
    return {
        "choices": [_choice(row) for row in subscriptions],
        "subscribe_url": site.absolute(reverse("subscribe")),
    }


def _reduced(_letter: Letter, subscriptions: list[Subscription], _now: datetime) -> Facts:
    (row,) = subscriptions
    moved = row.reductions.select_related("reduction", "subscription__subscriber").latest("pk")
    if moved.kept_at is not None or row.cadence != moved.reduction.after:
        raise NotNeeded(LetterReason.OVERTAKEN, Letter.State.EXPIRED)
    return {
        "choice": _choice(row),
        "before": Cadence(moved.reduction.before).in_a_sentence,
        "keep_words": moved.reduction.keep_words,
        "keep_url": links.keep_url(moved=moved),
        "days": links.KEEP_AGE.days,
        "unsubscribe_url": links.unsubscribe_url(subscription=row),
    }


def _preferences(letter: Letter, _subscriptions: list[Subscription], _now: datetime) -> Facts:
    return {
        "preferences_url": links.preferences_url(subscriber=letter.subscriber),
        "masked": addresses.mask(letter.subscriber.address),
    }


def _renewal(letter: Letter, _subscriptions: list[Subscription], _now: datetime) -> Facts:
    """On failure: NotNeeded, for a reader who has agreed meanwhile, or left."""
    theirs = letter.subscriber.subscriptions.all().reachable()
    rows = list(theirs.below(version=letter.version).select_related("newsletter")) if letter.version else []
    shown = legal.published_version(document=letter.version.document) if letter.version else None
    if not rows or shown is None:
        raise NotNeeded(LetterReason.OVERTAKEN, Letter.State.EXPIRED)
    held = theirs.behind().select_related("newsletter")
    return {
        "title": shown.document.local.title,
        "text_url": site.absolute(shown.get_absolute_url()),
        "change_note": shown.change_note if shown.language == languages.of_pages() else "",
        "held": [row.newsletter.local.name for row in held],
        "agree_url": links.agree_url(subscriber=letter.subscriber),
        "days": links.AGREE_AGE.days,
    }


def _former_address(letter: Letter, _subscriptions: list[Subscription], _now: datetime) -> Facts:
    change = _change(letter)
    return {
        "agree_url": links.address_url(change=change, end=End.FORMER),
        "hours": _hours(links.ADDRESS_AGE),
        "masked": addresses.mask(change.address),
    }


def _new_address(letter: Letter, _subscriptions: list[Subscription], _now: datetime) -> Facts:
    return {
        "agree_url": links.address_url(change=_change(letter), end=End.NEW),
        "hours": _hours(links.ADDRESS_AGE),
        "masked": addresses.mask(letter.subscriber.address),
    }


def _hours(age: timedelta) -> int:
    return int(age.total_seconds() // 3600)


FACTS: Mapping[Letter.Kind, Callable[[Letter, list[Subscription], datetime], Facts]] = {
    Letter.Kind.CONFIRM: _to_confirm,
    Letter.Kind.REMINDER: _to_confirm,
    Letter.Kind.PERMISSION: _to_confirm,
    Letter.Kind.ALREADY: _already,
    Letter.Kind.WELCOME: _subscribed,
    Letter.Kind.SERIES: _series,
    Letter.Kind.GOODBYE: _ended,
    Letter.Kind.REDUCED: _reduced,
    Letter.Kind.PREFERENCES: _preferences,
    Letter.Kind.RENEWAL: _renewal,
    Letter.Kind.FORMER_ADDRESS: _former_address,
    Letter.Kind.NEW_ADDRESS: _new_address,
}


def _choice(row: Subscription) -> Facts:
    return {
        "newsletter": row.newsletter.local.name,
        "description": row.newsletter.local.description,
        "cadence": row.cadence_in_a_sentence,
        "url": links.newsletter_url(newsletter=row.newsletter),
    }


def _headers(letter: Letter, subscriptions: list[Subscription]) -> dict[str, str]:
    """A letter about one newsletter that comes can be unsubscribed with one click (RFC 8058), like its issues."""
    if letter.kind not in (Letter.Kind.WELCOME, Letter.Kind.REDUCED) or len(subscriptions) != 1:
        return {}
    return {
        "List-Unsubscribe": f"<{links.unsubscribe_url(subscription=subscriptions[0])}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _domain(address: str) -> str:
    return parseaddr(address)[1].rpartition("@")[2] or "localhost"


def sample(*, welcome: WelcomeLetter, language: str, to: str) -> EmailMultiAlternatives:
    """A letter of a series as it is written now, for an editor: the links of its foot are nobody's.

    On failure: CannotBeShown.
    """
    try:
        return _sample(welcome, language, to)
    except (html.MarkupRefused, message.UnsafeHeaderText, mjml.MjmlError) as refusal:
        raise CannotBeShown(str(refusal)) from refusal


def _sample(welcome: WelcomeLetter, language: str, to: str) -> EmailMultiAlternatives:
    publication = Publication.objects.current()
    reader = Subscriber(language=language)
    sender = series.sender(newsletter=welcome.newsletter, publication=publication)
    with languages.override(welcome.newsletter.language or language, publication=publication):
        context = {
            **_frame(Letter(kind=Letter.Kind.SERIES, subscriber=reader), publication),
            **series.facts(welcome=welcome),
            "newsletter": welcome.newsletter.local.name,
        }
        message_id = f"<sample.{uuid.uuid4().hex}@{_domain(sender.address)}>"
        mail = message.letter(
            name=Letter.Kind.SERIES, context=context, to=to, sender=sender, headers={}, message_id=message_id
        )
        return series.filled(mail, context=context)
