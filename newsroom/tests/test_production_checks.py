"""Development values are refused in production, one by one, and the engine's baseline is held."""

from dataclasses import replace

import pytest
from pytest_django.fixtures import Settings

from newsroom import checks
from postal import config

GOOD = {
    "DEBUG": False,
    "SECRET_KEY": "a-key-of-more-than-thirty-two-characters",
    "ADDRESS_HASH_KEY": "another-key-of-more-than-thirty-two-characters",
    "ALLOWED_HOSTS": ["news.example.org"],
    "SITE_HOST": "news.example.org",
    "HTTPS": True,
    "EMAIL_TRANSPORT": "esp",
    "EMAIL_PROVIDER": "mailgun",
    "WEBHOOK_SECRET": "user:password",
}


@pytest.fixture
def production(settings: Settings) -> Settings:
    """Settings fit for production."""
    for name, value in GOOD.items():
        setattr(settings, name, value)
    return settings


def ids() -> list[str]:
    return [str(message.id) for message in checks.production()]


def test_a_fit_configuration_passes(production: Settings) -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("SECRET_KEY", "short", "newsroom.E001"),
        ("ADDRESS_HASH_KEY", "development-only-key-refused-in-production", "newsroom.E002"),
        ("ALLOWED_HOSTS", ["*"], "newsroom.E003"),
        ("HTTPS", False, "newsroom.E004"),
        ("EMAIL_TRANSPORT", "local", "newsroom.E005"),
        ("WEBHOOK_SECRET", "", "newsroom.E006"),
        ("SITE_HOST", "other.example.org", "newsroom.E007"),
    ],
)
def test_each_development_value_is_refused(production: Settings, name: str, value: object, refused: str) -> None:
    setattr(production, name, value)
    assert ids() == [refused]


def test_a_password_never_travels_in_the_clear(production: Settings) -> None:
    production.EMAIL_TRANSPORT = "smtp"
    production.SMTP = config.MailServer("mail.example.org", 25, username="u", password="p")
    assert ids() == ["newsroom.E008"]
    production.SMTP = replace(production.SMTP, tls="starttls")
    assert ids() == []


def test_a_laptop_is_left_in_peace(production: Settings) -> None:
    production.DEBUG, production.SECRET_KEY = True, "short"
    assert ids() == []


def test_the_baseline_holds() -> None:
    assert checks.baseline() == []


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("CELERY_TASK_ACKS_LATE", False, "newsroom.E020"),
        ("CELERY_VISIBILITY_TIMEOUT", 599, "newsroom.E021"),
        ("CELERY_ACCEPT_CONTENT", ["json", "pickle"], "newsroom.E022"),
        ("CACHE_URL", "redis://elsewhere:6379/1", "newsroom.E023"),
    ],
)
def test_a_changed_baseline_is_refused(settings: Settings, name: str, value: object, refused: str) -> None:
    settings.REDIS_URL = "redis://here:6379/1"
    setattr(settings, name, value)
    assert [message.id for message in checks.baseline()] == [refused]


@pytest.mark.django_db
def test_the_servers_are_asked() -> None:
    assert [message.id for message in checks.servers()] == []


@pytest.mark.django_db
def test_a_redis_that_is_away_is_an_error(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert [message.id for message in checks.servers()] == ["newsroom.E033"]


def test_a_header_that_can_be_spelled_two_ways_is_named(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    assert [message.id for message in checks.spelled_two_ways()] == ["newsroom.I011"]

    settings.CLIENT_ADDRESS_HEADER = "Forwarded"
    assert checks.spelled_two_ways() == []
