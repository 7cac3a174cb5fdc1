"""Every provider of mail: one record each. All that differs between them is here; adding one is adding a record.

Names are Anymail's. docs/providers.md says the same for people, and a test compares the two. `sendinblue`, an
older name of Brevo, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from django.http import HttpRequest

Act = Literal["unsubscribe", "complaint"]
TimeForm = Literal["iso", "seconds", "milliseconds"]


@dataclass(frozen=True, slots=True)
class Sending:
    """How copies are handed over.

    `url_settings` are the settings that take user, password and host of EMAIL_URL. A provider with
    `merge_field`, how it writes a field, puts readers' values into a text of ours, `most_per_call` readers
    at a time. `switches_tracking_off`: Anymail can do so for each message. `takes_metadata`: events come
    back with the copy's uuid; otherwise they are matched by the remote id. `idempotency_header`: a request
    is taken once however often it comes, and each repeat is answered as the first, for a day.
    """

    url_settings: tuple[str, str, str] = ("API_KEY", "", "")
    merge_field: tuple[str, str] | None = None
    most_per_call: int = 1
    switches_tracking_off: bool = False
    takes_metadata: bool = True
    idempotency_header: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A place in the provider's own payload, as a dotted path, and what is there."""

    path: str = ""
    values: frozenset[object] = frozenset()


@dataclass(frozen=True, slots=True)
class Reports:
    """How events come back, and what is lost in Anymail's common words.

    `view` is Anymail's. `signed_by`: settings any of which lets it verify a signature; the first is
    required where `needs_signature`. `variables` of the environment give them. `signed_at` reads the time
    that is signed along, where there is one. `times` are the names of its times, in `time_form`.
    `soft`: where it calls a bounce soft. `acts`: what a reader did, under a name that Anymail does not
    know, or as the reason why a copy was not sent. `list_key` and `form_field`: where the list of events
    is, if it is not the whole body.
    """

    view: str
    times: frozenset[str]
    time_form: TimeForm
    signed_by: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    needs_signature: bool = False
    signed_at: Callable[[HttpRequest], object] | None = None
    soft: Words = Words()
    acts: tuple[tuple[str, object, Act], ...] = ()
    list_key: str = ""
    form_field: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider; without `sending` it only reports, without `reports` it only sends."""

    name: str
    label: str
    sending: Sending | None = None
    reports: Reports | None = None


def _mailgun_signed_at(request: HttpRequest) -> object:
    if request.content_type == "application/json":
        return json.loads(request.body)["signature"]["timestamp"]
    return request.POST.get("timestamp")


_ALL: Final = (
    Provider(
        "amazon_ses",
        "Amazon SES",
        # Sending needs boto3, which is not installed.
        reports=Reports(
            view="anymail.webhooks.amazon_ses.AmazonSESTrackingWebhookView",
            times=frozenset({"Timestamp"}),
            time_form="iso",
            soft=Words("bounce.bounceType", frozenset({"Transient", "Undetermined"})),
            acts=(("subscription.newTopicPreferences.unsubscribeAll", True, "unsubscribe"),),
        ),
    ),
    Provider(
        "brevo",
        "Brevo",
        Sending(),
        Reports(
            view="anymail.webhooks.brevo.BrevoTrackingWebhookView",
            times=frozenset({"ts_epoch"}),
            time_form="milliseconds",
            soft=Words("event", frozenset({"soft_bounce"})),
            acts=(("event", "unsubscribed", "unsubscribe"),),
        ),
    ),
    Provider(
        "mailersend",
        "MailerSend",
        Sending(("API_TOKEN", "", ""), switches_tracking_off=True, takes_metadata=False),
        Reports(
            view="anymail.webhooks.mailersend.MailerSendTrackingWebhookView",
            times=frozenset({"created_at"}),
            time_form="iso",
            signed_by=("MAILERSEND_SIGNING_SECRET",),
            variables=("MAILERSEND_SIGNING_SECRET",),
            needs_signature=True,
            soft=Words("type", frozenset({"activity.soft_bounced"})),
        ),
    ),
    Provider(
        "mailgun",
        "Mailgun",
        Sending(
            ("API_KEY", "", "SENDER_DOMAIN"),
            merge_field=("%recipient.", "%"),
            most_per_call=1_000,
            switches_tracking_off=True,
        ),
        Reports(
            view="anymail.webhooks.mailgun.MailgunTrackingWebhookView",
            times=frozenset({"timestamp"}),
            time_form="seconds",
            signed_by=("MAILGUN_WEBHOOK_SIGNING_KEY", "MAILGUN_API_KEY"),
            variables=("MAILGUN_WEBHOOK_SIGNING_KEY",),
            needs_signature=True,
            signed_at=_mailgun_signed_at,
            acts=(
                ("event-data.reason", "suppress-unsubscribe", "unsubscribe"),
                ("event-data.reason", "suppress-complaint", "complaint"),
                ("code", "606", "unsubscribe"),
                ("code", "607", "complaint"),
            ),
        ),
    ),
    Provider(
        "mailjet",
        "Mailjet",
        Sending(("API_KEY", "SECRET_KEY", ""), switches_tracking_off=True),
        Reports(
            view="anymail.webhooks.mailjet.MailjetTrackingWebhookView",
            times=frozenset({"time"}),
            time_form="seconds",
            soft=Words("hard_bounce", frozenset({False})),
            acts=(("error", "spam reporter", "complaint"),),
        ),
    ),
    Provider(
        "mailtrap",
        "Mailtrap",
        Sending(("API_TOKEN", "", "")),
        Reports(
            view="anymail.webhooks.mailtrap.MailtrapTrackingWebhookView",
            times=frozenset({"timestamp"}),
            time_form="seconds",
            signed_by=("MAILTRAP_TRACKING_SECRET",),
            variables=("MAILTRAP_TRACKING_SECRET",),
            list_key="events",
        ),
    ),
    Provider(
        "mandrill",
        "Mandrill",
        Sending(switches_tracking_off=True),
        Reports(
            view="anymail.webhooks.mandrill.MandrillCombinedWebhookView",
            times=frozenset({"ts"}),
            time_form="seconds",
            signed_by=("MANDRILL_WEBHOOK_KEY",),
            variables=("MANDRILL_WEBHOOK_KEY", "MANDRILL_WEBHOOK_URL"),
            needs_signature=True,
            soft=Words("event", frozenset({"soft_bounce"})),
            acts=(
                ("msg.reject.reason", "unsub", "unsubscribe"),
                ("msg.reject.reason", "spam", "complaint"),
            ),
            form_field="mandrill_events",
        ),
    ),
    Provider(
        "postal",
        "Postal",
        Sending(takes_metadata=False),
        Reports(
            view="anymail.webhooks.postal.PostalTrackingWebhookView",
            times=frozenset({"timestamp"}),
            time_form="seconds",
            signed_by=("POSTAL_WEBHOOK_KEY",),
            variables=("POSTAL_WEBHOOK_KEY",),
            needs_signature=True,
        ),
    ),
    Provider(
        "postmark",
        "Postmark",
        Sending(("SERVER_TOKEN", "", ""), switches_tracking_off=True),
        Reports(
            view="anymail.webhooks.postmark.PostmarkTrackingWebhookView",
            times=frozenset({"DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt"}),
            time_form="iso",
            soft=Words("Type", frozenset({"SoftBounce"})),
        ),
    ),
    Provider(
        "resend",
        "Resend",
        # https://resend.com/docs/dashboard/emails/idempotency-keys
        Sending(idempotency_header="Idempotency-Key"),
        Reports(
            view="anymail.webhooks.resend.ResendTrackingWebhookView",
            times=frozenset({"created_at"}),
            time_form="iso",
            signed_by=("RESEND_SIGNING_SECRET",),
            variables=("RESEND_SIGNING_SECRET",),
            signed_at=lambda request: request.headers.get("svix-timestamp"),
        ),
    ),
    # It reports nothing to Anymail.
    Provider("scaleway", "Scaleway", Sending(("SECRET_KEY", "PROJECT_ID", "REGION"))),
    Provider(
        "sendgrid",
        "SendGrid",
        # Anymail no longer tests sending by it.
        reports=Reports(
            view="anymail.webhooks.sendgrid.SendGridTrackingWebhookView",
            times=frozenset({"timestamp"}),
            time_form="seconds",
            signed_by=("SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY",),
            variables=("SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY",),
            signed_at=lambda request: request.headers.get("X-Twilio-Email-Event-Webhook-Timestamp"),
            soft=Words("type", frozenset({"blocked"})),
            acts=(
                ("reason", "Unsubscribed Address", "unsubscribe"),
                ("reason", "Spam Reporting Address", "complaint"),
            ),
        ),
    ),
    Provider(
        "sparkpost",
        "SparkPost",
        Sending(switches_tracking_off=True),
        Reports(
            view="anymail.webhooks.sparkpost.SparkPostTrackingWebhookView",
            times=frozenset({"timestamp"}),
            time_form="seconds",
            # https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
            soft=Words("msys.message_event.bounce_class", frozenset({"20", "21", "22", "23", "24", "40", "60", "70"})),
        ),
    ),
    Provider(
        "unisender_go",
        "Unisender Go",
        Sending(switches_tracking_off=True),
        Reports(
            view="anymail.webhooks.unisender_go.UnisenderGoTrackingWebhookView",
            times=frozenset({"event_time"}),
            time_form="iso",
            signed_by=("UNISENDER_GO_API_KEY",),
            variables=("UNISENDER_GO_API_KEY",),
            needs_signature=True,
            soft=Words("delivery_info.delivery_status", frozenset({"err_mailbox_full"})),
            acts=(("delivery_info.delivery_status", "err_unsubscribed", "unsubscribe"),),
        ),
    ),
)
PROVIDERS: Final[Mapping[str, Provider]] = {provider.name: provider for provider in _ALL}
SENDING: Final[Mapping[str, Sending]] = {one.name: one.sending for one in _ALL if one.sending is not None}
REPORTING: Final[Mapping[str, Reports]] = {one.name: one.reports for one in _ALL if one.reports is not None}


def sending(name: str) -> Sending:
    """How copies are handed to this provider; one without a record takes one reader in a call and knows metadata."""
    return SENDING.get(name, Sending())
