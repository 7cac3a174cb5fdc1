"""What the environment says is read with types, and refused in one sentence."""

import importlib
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from newsroom import email_url, env
from postal import config, providers


def test_a_value_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from the file\n", encoding="utf-8")
    monkeypatch.setenv("NEWSROOM_TRIAL_FILE", str(secret))
    assert env.text("NEWSROOM_TRIAL") == "from the file"


def test_value_and_file_together_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEWSROOM_TRIAL", "one")
    monkeypatch.setenv("NEWSROOM_TRIAL_FILE", str(tmp_path))
    with pytest.raises(ImproperlyConfigured, match="not both"):
        env.text("NEWSROOM_TRIAL")


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEWSROOM_TRIAL_FILE", str(tmp_path / "absent"))
    with pytest.raises(ImproperlyConfigured, match="absent"):
        env.text("NEWSROOM_TRIAL")


@pytest.mark.parametrize(("value", "meant"), [("1", True), ("TRUE", True), ("off", False), ("", False)])
def test_flags(monkeypatch: pytest.MonkeyPatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("NEWSROOM_TRIAL", value)
    assert env.flag("NEWSROOM_TRIAL", default=not meant) is meant


@pytest.mark.parametrize("value", ["maybe", "2"])
def test_a_flag_is_one_or_zero(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NEWSROOM_TRIAL", value)
    with pytest.raises(ImproperlyConfigured, match="must be 1 or 0"):
        env.flag("NEWSROOM_TRIAL", default=False)


@pytest.mark.parametrize("value", ["-1", "4.5", "many", "٤"])
def test_a_number_is_a_number(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("NEWSROOM_TRIAL", value)
    with pytest.raises(ImproperlyConfigured, match="whole number"):
        env.number("NEWSROOM_TRIAL", 1)


def test_what_verifies_a_providers_webhooks_may_stand_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The mail may leave over the provider's SMTP server, and then EMAIL_URL has no room for its key."""
    for name in email_url.WEBHOOK_KEYS:
        monkeypatch.delenv(name, raising=False)
    assert email_url.webhook_keys() == {}
    key = tmp_path / "key"
    key.write_text("from the file\n", encoding="utf-8")
    monkeypatch.setenv("MAILGUN_WEBHOOK_SIGNING_KEY", "mailguns")
    monkeypatch.setenv("POSTAL_WEBHOOK_KEY_FILE", str(key))
    monkeypatch.setenv("RESEND_SIGNING_SECRET", "")

    keys = {"MAILGUN_WEBHOOK_SIGNING_KEY": "mailguns", "POSTAL_WEBHOOK_KEY": "from the file"}
    assert email_url.webhook_keys() == keys


def test_every_signed_webhook_has_a_variable() -> None:
    for reports in providers.REPORTING.values():
        assert set(reports.signed_by[:1]) <= set(email_url.WEBHOOK_KEYS)


def test_database_url_in_full() -> None:
    read = env.database("postgresql://us%40er:p%2Fw@db.internal:5433/news?sslmode=require")
    assert (read["USER"], read["PASSWORD"], read["HOST"], read["PORT"]) == ("us@er", "p/w", "db.internal", "5433")
    assert read["OPTIONS"] == {"sslmode": "require"}


def test_database_url_by_socket() -> None:
    read = env.database("postgresql://newsroom@/newsroom?host=%2Fvar%2Frun%2Fsome%20where")
    assert (read["HOST"], read["PORT"], read["OPTIONS"]) == ("/var/run/some where", "", {})


@pytest.mark.parametrize("url", ["mysql://a/b", "sqlite:///x", "postgresql://host/", "postgresql://host:port/x"])
def test_other_databases_are_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as refusal:
        env.database(url)
    assert url not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "number", "broker"),
    [
        ("redis://host:6379/3", 3, "redis://host:6379/3"),
        ("redis://:pw@host:6379?db=2", 2, "redis://:pw@host:6379/2"),
        ("rediss://host/1", 1, "rediss://host/1?ssl_cert_reqs=required"),
        ("unix:///run/redis.sock?db=4", 4, "redis+socket:///run/redis.sock?virtual_host=4"),
        ("unix:///run/redis.sock", 0, "redis+socket:///run/redis.sock?virtual_host=0"),
    ],
)
def test_one_redis_in_two_spellings(url: str, number: int, broker: str) -> None:
    assert env.redis_number(url) == number
    assert env.broker(url) == broker
    assert env.redis_number(env.redis_with_number(url, 9)) == 9


def test_smtp_with_starttls() -> None:
    read = email_url.read("smtp://user:p%40ss@mail.example.org:587/?tls=1")
    assert read.transport == "smtp"
    assert read.relays == [config.MailServer("mail.example.org", 587, "user", "p@ss", "starttls")]


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [("smtp://127.0.0.1:2525", 2525, "none"), ("smtps://h", 465, "implicit"), ("smtp://h?tls=1", 587, "starttls")],
)
def test_smtp_defaults(url: str, port: int, tls: str) -> None:
    (server,) = email_url.read(url).relays
    assert (server.port, server.tls) == (port, tls)


def test_a_provider() -> None:
    read = email_url.read("anymail+mailgun://key-1@mg.example.org?api_url=http://127.0.0.1:9/v3&webhook_signing_key=s")
    assert (read.transport, read.backend) == ("esp", "anymail.backends.mailgun.EmailBackend")
    assert read.anymail == {
        "MAILGUN_API_KEY": "key-1",
        "MAILGUN_SENDER_DOMAIN": "mg.example.org",
        "MAILGUN_API_URL": "http://127.0.0.1:9/v3",
        "MAILGUN_WEBHOOK_SIGNING_KEY": "s",
    }


@pytest.mark.parametrize("provider", providers.SENDING)
def test_every_listed_provider_is_one_of_anymails(provider: str) -> None:
    read = email_url.read(f"anymail+{provider.replace('_', '-')}://key:second@host?api_url=http://127.0.0.1/")
    module = importlib.import_module(read.backend.rpartition(".")[0])
    assert module.EmailBackend(**{key.lower().removeprefix(f"{provider}_"): v for key, v in read.anymail.items()})


@pytest.mark.parametrize("url", ["anymail+nobody://key@", "anymail+postmark://", "ftp://x", "smtp://", ""])
def test_other_ways_to_send_are_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        email_url.read(url)
