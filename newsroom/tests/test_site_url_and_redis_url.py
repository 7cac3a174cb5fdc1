"""An address that would lead elsewhere than it reads is refused, with a word on how to write it."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from newsroom import address_checks, email_url, env, returns_url

READERS: dict[str, Callable[[str], object]] = {
    "EMAIL_URL": email_url.read,
    "RETURNS_URL": returns_url.read,
    "DATABASE_URL": env.database,
    "DATABASE_OWNER_URL": lambda url: env.database(url, name="DATABASE_OWNER_URL"),
    "REDIS_URL": env.redis_number,
    "CACHE_URL": lambda url: env.redis_number(url, name="CACHE_URL"),
}
SHAPES = {
    "EMAIL_URL": "smtp://AKIA0:{}@mail.paper-house.net:587?tls=1",
    "RETURNS_URL": "imaps://bounces:{}@mail.paper-house.net/INBOX",
    "DATABASE_URL": "postgresql://news:{}@db.paper-house.net:5432/newsroom?sslmode=require",
    "DATABASE_OWNER_URL": "postgresql://news:{}@db.paper-house.net/newsroom",
    "REDIS_URL": "rediss://:{}@redis.paper-house.net:6379/0",
    "CACHE_URL": "redis://:{}@redis.paper-house.net/8",
}
# The part before the sign may look like a port.
PASSWORDS = [
    "Aq+Am/U8+EC",
    "12/34",
    "/start",
    "end/",
    "a?b",
    "12?34",
    "a#b",
    "12#34",
    "1/2@3",
    "a/b@c",
    "[x",
    "a/b/c?d#e",
]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_that_breaks_the_url_is_refused_with_the_way_out(name: str, password: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        READERS[name](SHAPES[name].format(password))
    assert name in str(refusal.value)
    assert "/ and @ are written %2F and %40" in str(refusal.value)
    assert password not in str(refusal.value)
    assert "paper-house" not in str(refusal.value)


def test_one_of_several_mail_servers_is_refused_too() -> None:
    with pytest.raises(ImproperlyConfigured, match="%2F and %40"):
        email_url.read("smtp://a.example.org, smtp://u:12/34@b.example.org")


def test_written_as_told_it_is_the_password() -> None:
    (server,) = email_url.read("smtp://AKIA0:Aq+Am%2FU8%40EC%23%3F@mail.paper-house.net:587?tls=1").relays
    assert (server.password, server.host) == ("Aq+Am/U8@EC#?", "mail.paper-house.net")
    assert env.database("postgresql://u:a%2Fb%40c@h/news")["PASSWORD"] == "a/b@c"
    mailbox = returns_url.read("imaps://u%40x:p%2Fw@h/INBOX%2FReturns")
    assert mailbox is not None
    assert mailbox.password == "p/w"
    assert env.redis_number("rediss://:a%2Fb@h/3") == 3


@pytest.mark.parametrize(
    ("read", "url"),
    [
        (email_url.read, "smtp://me@mail.example:secret@smtp.mail.example:587?tls=1"),
        (email_url.read, "anymail+postmark://key@?api_url=https://user@proxy.example/"),
        (env.database, "postgresql:///news?host=/var/run/pg@2&user=me@azure"),
        (env.database, "postgresql://db.example:5432/news?user=me@azure"),
        (env.redis_number, "unix:///var/run/redis@2/redis.sock?db=1"),
    ],
)
def test_an_at_where_it_may_stand_is_left_alone(read: Callable[[str], object], url: str) -> None:
    read(url)


def test_options_of_a_redis_keep_their_signs() -> None:
    url = env.redis_with_number("rediss://h:6379/0?ssl_ca_certs=/etc/a%20b%26c.pem", 8)
    assert url == "rediss://h:6379?ssl_ca_certs=%2Fetc%2Fa%20b%26c.pem&db=8"


@pytest.mark.parametrize(
    "url",
    [
        "https://paper-house.net/news", "https://paper-house.net/?x=1", "https://paper-house.net?x=1",
        "https://paper-house.net/#top", "https://paper-house.net#top", "https://user:secret@paper-house.net",
        "https://user@paper-house.net", "paper-house.net", "//paper-house.net", "https://", "https:///news", "",
        "ftp://paper-house.net", "https://paper-house.net:port", "https://paper-house.net:99999", "https://[::1",
        "https://paper house.net", "https://новости.kg", "https://paper-house.net\\news", "https://a.net,https://b.net",
        "https://paper-house.net/news/", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_a_site_with_more_than_a_host_is_refused(settings: Settings, url: str) -> None:
    settings.SITE_URL = url.rstrip("/")
    (error,) = address_checks.site()
    assert error.id == "newsroom.E012"
    assert "no path, no query" in str(error.hint)


@pytest.mark.parametrize(
    "url",
    ["https://paper-house.net", "https://paper-house.net/", "http://127.0.0.1:8000", "http://[::1]:8000", "http://web",
     "https://xn--b1amarcd.kg", "https://news.paper-house.net:8443"],
)  # fmt: skip
def test_a_site_of_its_own_passes(settings: Settings, url: str) -> None:
    settings.SITE_URL = url.rstrip("/")
    assert address_checks.site() == []


@pytest.mark.parametrize(
    ("broker", "cache", "without_password", "in_the_clear"),
    [
        ("redis://redis.example.org:6379/0", "redis://redis.example.org:6379/8", ["REDIS_URL"], ["REDIS_URL"]),
        ("rediss://redis.example.org/0", "rediss://redis.example.org/8", ["REDIS_URL"], []),
        ("redis://:@10.0.0.5/0", "redis://10.0.0.6/0", ["REDIS_URL", "CACHE_URL"], ["REDIS_URL", "CACHE_URL"]),
        ("redis://:secret@10.0.0.5/0", "redis://:secret@10.0.0.5/8", [], ["REDIS_URL"]),
        ("rediss://user:secret@10.0.0.5/0", "redis://cache/8", ["CACHE_URL"], ["CACHE_URL"]),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=8", [], []),
        ("redis://127.0.0.1:6379/0", "redis://localhost:6379/8", [], []),
        ("redis://[::1]/0", "redis://127.8.8.8/8", [], []),
    ],
)
def test_a_redis_on_another_machine_has_a_password_and_tls(
    settings: Settings, broker: str, cache: str, without_password: list[str], in_the_clear: list[str]
) -> None:
    settings.DEBUG, settings.REDIS_URL, settings.CACHE_URL = False, broker, cache
    errors, warnings = address_checks.redis_passwords(), address_checks.redis_in_the_clear()
    assert [error.msg.split("of ")[1].split(" ")[0] for error in errors] == without_password
    assert [warning.msg.split("of ")[1].split(" ")[0] for warning in warnings] == in_the_clear
    assert {message.id for message in errors + warnings} <= {"newsroom.E013", "newsroom.W014"}
    assert all(name in str(error.hint) for name, error in zip(without_password, errors, strict=True))

    settings.DEBUG = True
    assert address_checks.redis_passwords() == [], "a laptop may use whatever Redis it has"
