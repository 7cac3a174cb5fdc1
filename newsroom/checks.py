"""System checks: development values are refused in production, and the engine's baseline holds.

The first group runs with every command and at every worker's start; the second asks the
servers and runs with `manage.py check --deploy` and at the start of bin/run in production.
"""

from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register  # noqa: A004  # Django's own name for it
from django.db import DatabaseError, connection
from django.utils import timezone

from newsroom import env
from postal import config, providers

CLOCK_SECONDS = 5.0
Rule = tuple[str, Callable[[], bool], str, str]


def _weak(key: str) -> bool:
    return key == settings.DEVELOPMENT_KEY or len(key) < 32


def _unverified_webhooks() -> bool:
    """A provider reports by webhook, and nothing would tell its reports from anybody's."""
    reports = providers.REPORTING.get(settings.EMAIL_PROVIDER)
    signed = any(map(settings.ANYMAIL.get, reports.signed_by[:1] if reports else ()))
    return settings.EMAIL_TRANSPORT == "esp" and not (settings.WEBHOOK_SECRET or signed)


def _in_the_clear(server: config.MailServer | config.Mailbox) -> bool:
    local = server.host in {"localhost", "127.0.0.1", "::1"}
    return bool(server.password) and server.tls == "none" and not local


def _password_in_the_clear() -> bool:
    return settings.EMAIL_TRANSPORT == "smtp" and any(map(_in_the_clear, settings.RELAYS or [settings.SMTP]))


PRODUCTION: list[Rule] = [
    (
        "newsroom.E001",
        lambda: _weak(settings.SECRET_KEY),
        "SECRET_KEY is the development value or too short.",
        'Set SECRET_KEY (or SECRET_KEY_FILE), as by: python3 -c "import secrets; print(secrets.token_urlsafe(50))".',
    ),
    (
        "newsroom.E002",
        lambda: _weak(settings.ADDRESS_HASH_KEY),
        "ADDRESS_HASH_KEY is the development value or too short.",
        "Set ADDRESS_HASH_KEY once and never change it: suppressed addresses are only known by their keyed hash.",
    ),
    (
        "newsroom.E003",
        lambda: not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS,
        "ALLOWED_HOSTS allows every host, or none.",
        "Set ALLOWED_HOSTS to the names of this site, separated by commas.",
    ),
    (
        "newsroom.E004",
        lambda: not settings.HTTPS,
        "SITE_URL is not an https address.",
        "Set SITE_URL to the public address, as in https://news.example.org; readers' links and cookies depend on it.",
    ),
    (
        "newsroom.E005",
        lambda: settings.EMAIL_TRANSPORT == "local",
        "Mail would be written to files and reach nobody.",
        "Set EMAIL_URL to a mail server or a provider; docs/configuration.md lists the forms.",
    ),
    (
        "newsroom.E006",
        _unverified_webhooks,
        "The provider's webhooks could be forged: no secret is set.",
        "Set WEBHOOK_SECRET to user:password, also in the webhook's URL, or the provider's key (docs/providers.md).",
    ),
    (
        "newsroom.E007",
        lambda: settings.SITE_HOST not in settings.ALLOWED_HOSTS and "*" not in settings.ALLOWED_HOSTS,
        "The host of SITE_URL is not in ALLOWED_HOSTS.",
        "Add it to ALLOWED_HOSTS, or correct SITE_URL.",
    ),
    (
        "newsroom.E008",
        _password_in_the_clear,
        "The mail server's password would travel unencrypted.",
        "Use smtps:// or add ?tls=1 to EMAIL_URL.",
    ),
    (
        "newsroom.E010",
        lambda: settings.RETURNS is not None and _in_the_clear(settings.RETURNS),
        "The password of the mailbox for returned mail would travel unencrypted.",
        "Use imaps://, or add ?tls=1 to RETURNS_URL.",
    ),
]

BASELINE: list[Rule] = [
    (
        "newsroom.E020",
        lambda: not (settings.CELERY_TASK_ACKS_LATE and settings.CELERY_TASK_REJECT_ON_WORKER_LOST),
        "A task of a killed worker would be lost.",
        "Keep CELERY_TASK_ACKS_LATE and CELERY_TASK_REJECT_ON_WORKER_LOST on.",
    ),
    (
        "newsroom.E021",
        lambda: min(_visibility_timeouts()) < 2 * settings.CELERY_TASK_TIME_LIMIT,
        "A running task could be handed to a second worker.",
        "Keep visibility_timeout, in all three places, at twice CELERY_TASK_TIME_LIMIT or more.",
    ),
    (
        "newsroom.E022",
        lambda: settings.CELERY_ACCEPT_CONTENT != ["json"] or settings.CELERY_WORKER_PREFETCH_MULTIPLIER != 1,
        "The worker would accept more than JSON, or hoard tasks.",
        'Keep CELERY_ACCEPT_CONTENT at ["json"] and CELERY_WORKER_PREFETCH_MULTIPLIER at 1.',
    ),
    (
        "newsroom.E023",
        lambda: (
            settings.CACHE_URL == settings.REDIS_URL
            or env.redis_number(settings.CACHE_URL) == env.redis_number(settings.REDIS_URL)
        ),
        "The cache and the broker share one Redis database.",
        "Give CACHE_URL a database number of its own, as in redis://host:6379/8.",
    ),
]


def _visibility_timeouts() -> list[int]:
    options = (settings.CELERY_BROKER_TRANSPORT_OPTIONS, settings.CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS)
    return [settings.CELERY_VISIBILITY_TIMEOUT, *(int(str(option["visibility_timeout"])) for option in options)]


def _broken(rules: list[Rule]) -> list[CheckMessage]:
    return [Error(fault, hint=hint, id=name) for name, broken, fault, hint in rules if broken()]


@register(Tags.security)
def production(**_: Any) -> list[CheckMessage]:
    """Nothing in development; in production, one error per development value."""
    return [] if settings.DEBUG else _broken(PRODUCTION)


@register(Tags.async_support)
def baseline(**_: Any) -> list[CheckMessage]:
    """One error per setting on which the engine's guarantees rest and that was changed."""
    return _broken(BASELINE)


@register(Tags.security, deploy=True)
def debug(**_: Any) -> list[CheckMessage]:
    """Deployment with DEBUG is one error, whatever else is set."""
    hint = "Set DEBUG=0; then the other development values are refused one by one."
    return [Error("DEBUG is on.", hint=hint, id="newsroom.E009")] if settings.DEBUG else []


@register(Tags.security, deploy=True)
def spelled_two_ways(**_: Any) -> list[CheckMessage]:
    """A word for the person who sets up the proxy; only they know whether it drops names with an underscore."""
    name = settings.CLIENT_ADDRESS_HEADER
    if not settings.TRUSTED_PROXIES or "-" not in name:
        return []
    hint = "Let the proxy drop headers with an underscore, as nginx does, or set CLIENT_ADDRESS_HEADER=Forwarded."
    return [Info(f"Behind WSGI {name} cannot be told from {name.replace('-', '_')}.", hint=hint, id="newsroom.I011")]


@register(Tags.database, deploy=True)
def servers(**_: Any) -> list[CheckMessage]:
    """What only the servers themselves can tell: durability, clock, eviction."""
    return [*_database(), *_redis()]


def _database() -> list[CheckMessage]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('synchronous_commit'), clock_timestamp()")
            commit, clock = cursor.fetchone()
    except DatabaseError:
        return [Error("PostgreSQL does not answer.", hint="See DATABASE_URL.", id="newsroom.E030")]
    messages: list[CheckMessage] = []
    if commit == "off":
        hint = "Turn it on: an intent that is not on disk may be sent twice after a crash."
        messages.append(Error("PostgreSQL's synchronous_commit is off.", hint=hint, id="newsroom.E031"))
    if abs((timezone.now() - clock).total_seconds()) > CLOCK_SECONDS:
        hint = "Run a time service on both machines: leases and schedules compare their clocks."
        messages.append(Error("This clock and PostgreSQL's differ.", hint=hint, id="newsroom.E032"))
    return messages


def _redis() -> list[CheckMessage]:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5, socket_timeout=5) as client:
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except redis.ResponseError:
        return []  # a managed Redis that hides its configuration
    except redis.RedisError:
        return [Error("Redis does not answer.", hint="See REDIS_URL.", id="newsroom.E033")]
    if policy == "noeviction":
        return []
    hint = "Set maxmemory-policy to noeviction, so that no queue vanishes when memory is short."
    return [Warning(f"Redis may evict keys ({policy}).", hint=hint, id="newsroom.W034")]
