"""Turns EMAIL_URL into the settings of one way to send: local, smtp or a provider."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote

from django.core.exceptions import ImproperlyConfigured

from newsroom import env
from postal import config, providers

# By Anymail's names; each is a variable of the environment.
WEBHOOK_KEYS = tuple(name for reports in providers.REPORTING.values() for name in reports.variables)

# Between URLs only: a password may hold a comma.
_SEPARATORS = re.compile(r"[\s,]+(?=[a-z0-9+-]+://)")


@dataclass(frozen=True)
class Email:
    """What settings.py needs to know about outgoing mail."""

    transport: str
    backend: str
    # Every mail server that it names; letters use the first.
    relays: Sequence[config.MailServer] = ()
    provider: str = ""
    anymail: dict[str, object] = field(default_factory=dict)


def read(url: str) -> Email:
    """Before: any text. After: the transport it names; otherwise ImproperlyConfigured.

    Several smtp:// and smtps:// URLs, separated by blanks or commas, are relays that share the work.
    """
    urls = _SEPARATORS.split(url.strip())
    if len(urls) > 1:
        return _relays(urls)
    parts = env.split_url("EMAIL_URL", url)
    if parts.scheme == "local":
        return Email("local", "mailkit.local_mail.LocalBackend")
    if parts.scheme in {"smtp", "smtps"}:
        return Email("smtp", "django.core.mail.backends.smtp.EmailBackend", relays=[_relay(parts)])
    kind, _, provider = parts.scheme.partition("+")
    provider = provider.replace("-", "_")
    if kind == "anymail" and provider in providers.SENDING:
        backend = f"anymail.backends.{provider}.EmailBackend"
        return Email("esp", backend, provider=provider, anymail=_anymail(provider, parts))
    raise ImproperlyConfigured(
        "EMAIL_URL must begin with local://, smtp://, smtps:// or anymail+PROVIDER://, "
        f"where PROVIDER is one of {', '.join(sorted(providers.SENDING)).replace('_', '-')}."
    )


def webhook_keys() -> dict[str, object]:
    """What verifies providers' webhooks, as far as the environment gives it; it goes before what EMAIL_URL says.

    A provider may report on mail that did not leave through its interface.
    """
    return {name: value for name in WEBHOOK_KEYS if (value := env.text(name))}


def _relays(urls: list[str]) -> Email:
    parts = [env.split_url("EMAIL_URL", url) for url in urls]
    if any(one.scheme not in {"smtp", "smtps"} for one in parts):
        raise ImproperlyConfigured("EMAIL_URL may name several mail servers only as smtp:// or smtps:// URLs.")
    relays = [_relay(one) for one in parts]
    if len({(relay.host, relay.port) for relay in relays}) < len(relays):
        raise ImproperlyConfigured("EMAIL_URL names the same mail server twice; give it a ?weight= instead.")
    return Email("smtp", "django.core.mail.backends.smtp.EmailBackend", relays=relays)


def _relay(parts: SplitResult) -> config.MailServer:
    """?weight= is 1 and ?rate= 0 unless given. TLS is one of none, starttls (?tls=1) and implicit (smtps://)."""
    options = dict(parse_qsl(parts.query))
    weight, rate = options.get("weight", "1"), options.get("rate", "0")
    if not (weight.isascii() and weight.isdigit() and int(weight) and rate.isascii() and rate.isdigit()):
        raise ImproperlyConfigured("In EMAIL_URL, weight must be a whole number from 1 on and rate a whole number.")
    starttls = options.get("tls", "0") in env.YES
    implicit = parts.scheme == "smtps"
    _require_no_path(parts)
    if not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must name a mail server, as in smtp://127.0.0.1:2525.")
    return config.MailServer(
        host=parts.hostname,
        port=parts.port or (465 if implicit else 587 if starttls else 25),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls="implicit" if implicit else "starttls" if starttls else "none",
        weight=int(weight),
        rate=int(rate),
    )


def _require_no_path(parts: SplitResult) -> None:
    """A password with a / that happens to look like a port leaves the rest of itself as a path."""
    if parts.path.strip("/"):
        raise ImproperlyConfigured(f"EMAIL_URL names a host and no path behind it. {env.ESCAPES}")


def _anymail(provider: str, parts: SplitResult) -> dict[str, object]:
    prefix = provider.upper()
    _require_no_path(parts)
    values = (parts.username, parts.password, parts.hostname)
    names = providers.SENDING[provider].url_settings
    named = {f"{prefix}_{name}": unquote(value) for name, value in zip(names, values, strict=True) if name and value}
    if f"{prefix}_{names[0]}" not in named:
        raise ImproperlyConfigured(f"EMAIL_URL must carry the key of {provider}, as in anymail+{provider}://KEY@.")
    extra = {f"{prefix}_{key.upper()}": value for key, value in parse_qsl(parts.query)}
    return {**named, **extra}
