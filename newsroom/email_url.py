"""Turns EMAIL_URL into the settings of one way to send: local, smtp or a provider."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote

from django.core.exceptions import ImproperlyConfigured

from newsroom import env

# provider -> the Anymail settings that take user, password and host of the URL, in that order.
# Everything after "?" is passed on by its own name: ?webhook_signing_key=... becomes
# MAILGUN_WEBHOOK_SIGNING_KEY. Absent: Amazon SES needs boto3, which is not installed; Anymail no
# longer supports SendGrid.
PROVIDERS: dict[str, tuple[str, str, str]] = {
    "brevo": ("API_KEY", "", ""),
    "mailersend": ("API_TOKEN", "", ""),
    "mailgun": ("API_KEY", "", "SENDER_DOMAIN"),
    "mailjet": ("API_KEY", "SECRET_KEY", ""),
    "mailtrap": ("API_TOKEN", "", ""),
    "mandrill": ("API_KEY", "", ""),
    "postal": ("API_KEY", "", ""),
    "postmark": ("SERVER_TOKEN", "", ""),
    "resend": ("API_KEY", "", ""),
    "scaleway": ("SECRET_KEY", "PROJECT_ID", "REGION"),
    "sparkpost": ("API_KEY", "", ""),
    "unisender_go": ("API_KEY", "", ""),
}

# provider -> the setting without which its webhooks cannot be verified by a signature;
# the others are verified by WEBHOOK_SECRET, a user:password in the webhook's own URL.
SIGNED_WEBHOOKS = {
    "mailersend": "MAILERSEND_SIGNING_SECRET",
    "mailgun": "MAILGUN_WEBHOOK_SIGNING_KEY",
    "mandrill": "MANDRILL_WEBHOOK_KEY",
    "postal": "POSTAL_WEBHOOK_KEY",
    "resend": "RESEND_SIGNING_SECRET",
}


@dataclass(frozen=True)
class Email:
    """What settings.py needs to know about outgoing mail."""

    transport: str
    backend: str
    smtp: dict[str, object] = field(default_factory=dict)
    provider: str = ""
    anymail: dict[str, object] = field(default_factory=dict)


def read(url: str) -> Email:
    """Before: any text. After: the transport it names; otherwise ImproperlyConfigured."""
    parts = env.split_url("EMAIL_URL", url)
    if parts.scheme == "local":
        return Email("local", "mailkit.local.LocalBackend")
    if parts.scheme in {"smtp", "smtps"}:
        return Email("smtp", "django.core.mail.backends.smtp.EmailBackend", smtp=_smtp(parts))
    kind, _, provider = parts.scheme.partition("+")
    provider = provider.replace("-", "_")
    if kind == "anymail" and provider in PROVIDERS:
        backend = f"anymail.backends.{provider}.EmailBackend"
        return Email("esp", backend, provider=provider, anymail=_anymail(provider, parts))
    raise ImproperlyConfigured(
        "EMAIL_URL must begin with local://, smtp://, smtps:// or anymail+PROVIDER://, "
        f"where PROVIDER is one of {', '.join(sorted(PROVIDERS)).replace('_', '-')}."
    )


def _smtp(parts: SplitResult) -> dict[str, object]:
    """TLS is one of none, starttls (?tls=1) and implicit (smtps://)."""
    starttls = dict(parse_qsl(parts.query)).get("tls", "0") in env.YES
    implicit = parts.scheme == "smtps"
    if not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must name a mail server, as in smtp://127.0.0.1:2525.")
    return {
        "host": parts.hostname,
        "port": parts.port or (465 if implicit else 587 if starttls else 25),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "tls": "implicit" if implicit else "starttls" if starttls else "none",
    }


def _anymail(provider: str, parts: SplitResult) -> dict[str, object]:
    prefix = provider.upper()
    values = (parts.username, parts.password, parts.hostname)
    named = {
        f"{prefix}_{name}": unquote(value)
        for name, value in zip(PROVIDERS[provider], values, strict=True)
        if name and value
    }
    if f"{prefix}_{PROVIDERS[provider][0]}" not in named:
        raise ImproperlyConfigured(f"EMAIL_URL must carry the key of {provider}, as in anymail+{provider}://KEY@.")
    extra = {f"{prefix}_{key.upper()}": value for key, value in parse_qsl(parts.query)}
    return {**named, **extra}
