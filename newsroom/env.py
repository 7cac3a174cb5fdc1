"""Reads configuration from the environment, with types.

A variable NAME may instead be given as NAME_FILE, the path of a file that holds
the value (as container secrets are); giving both is refused. A value that does
not parse stops the program with one sentence that names the variable and never
repeats the value, which may be a secret.
"""

import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from django.core.exceptions import ImproperlyConfigured
from limits import RateLimitItem, parse_many

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off", ""})
ESCAPES = "In a user name and a password, characters such as / and @ are written %2F and %40."
LONGEST_NUMBER = 15  # digits; more are a slip, and no database column would hold them


def text(name: str, default: str = "") -> str:
    """The value of NAME, or the content of the file NAME_FILE, or the default."""
    value, file_name = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value is not None and file_name:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if not file_name:
        return default if value is None else value
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read: {file_name}.") from error


def var_dir() -> Path:
    """Where this checkout keeps its data: VAR_DIR, or var/."""
    return Path(text("VAR_DIR") or Path(__file__).resolve().parent.parent / "var")


def flag(name: str, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off and the empty text."""
    value = text(name, "1" if default else "0").strip().lower()
    if value not in YES | NO:
        raise ImproperlyConfigured(f"{name} must be 1 or 0.")
    return value in YES


def number(name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
    """A whole number that is not below `least`, nor above `most`."""
    value = text(name, str(default)).strip()
    is_number = value.isascii() and value.isdigit() and len(value) <= LONGEST_NUMBER
    if not is_number or int(value) < least or (most is not None and int(value) > most):
        bounds = f", {least} or more" if most is None else f" from {least} to {most}"
        raise ImproperlyConfigured(f"{name} must be a whole number{bounds}.")
    return int(value)


def names(name: str, default: list[str]) -> list[str]:
    """A comma-separated list; blanks are dropped."""
    value = text(name, ",".join(default))
    return [part.strip() for part in value.split(",") if part.strip()]


def rates(name: str, default: str) -> list[RateLimitItem]:
    """How often something may happen, as `20 per hour; 100 per day`; an empty value is no limit."""
    value = text(name, default).strip()
    try:
        return parse_many(value) if value else []
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must say how often, as in 20 per hour; 100 per day.") from error


def networks(name: str, default: list[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """A comma-separated list of networks, such as 10.20.0.0/16."""
    try:
        return [ipaddress.ip_network(part) for part in names(name, default)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a list of networks, such as 10.20.0.0/16.") from error


def split_url(name: str, value: str) -> SplitResult:
    """The parts of a URL; a port that is not a number, and a password that ends too early, are refused here."""
    try:
        parts = urlsplit(value.strip())
        _ = parts.port
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not a valid URL. {ESCAPES}") from error
    if parts.fragment or (parts.netloc and _has_late_at(parts)):
        raise ImproperlyConfigured(f"{name} is not a valid URL. {ESCAPES}")
    return parts


def _has_late_at(parts: SplitResult) -> bool:
    """Whether an @ comes behind the host: what was meant as a password had a / or a ? in it."""
    return "@" in parts.path or "@" in parts.query.partition("=")[0]


def database(url: str, *, name: str = "DATABASE_URL") -> dict[str, Any]:
    """Django's database settings for postgresql://user:password@host:port/name?option=value.

    Every query option is handed to libpq by its own name (host, sslmode, ...).
    """
    parts = split_url(name, url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured(f"{name} must begin with postgresql://; no other database is supported.")
    if "/" in parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} names a database with a / in it. {ESCAPES}")
    if not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must name a database, as in postgresql://user@host/newsroom.")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "core.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or options.pop("user", "")),
        "PASSWORD": unquote(parts.password or options.pop("password", "")),
        "HOST": unquote(parts.hostname or "") or options.pop("host", ""),
        "PORT": str(parts.port or options.pop("port", "")),
        "OPTIONS": options,
    }


def host(url: str) -> str:
    """The host that a URL names; empty for what is no URL, of which a system check says more."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def redis_number(url: str, *, name: str = "REDIS_URL") -> int:
    """The database number that a Redis URL names: ?db=N, or the path of a TCP URL."""
    parts = split_url(name, url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"{name} must begin with redis://, rediss:// or unix://.")
    path = "" if parts.scheme == "unix" else parts.path.strip("/")
    value = dict(parse_qsl(parts.query)).get("db", path) or "0"
    if not (value.isascii() and value.isdigit() and len(value) <= LONGEST_NUMBER):
        raise ImproperlyConfigured(f"{name} must name its database by number, as in redis://host:6379/0. {ESCAPES}")
    return int(value)


def redis_with_number(url: str, number: int) -> str:
    """The same server, another database number."""
    parts = split_url("REDIS_URL", url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "db"]
    path = parts.path if parts.scheme == "unix" else ""
    pairs = urlencode([*query, ("db", str(number))], quote_via=quote)
    return f"{parts.scheme}://{parts.netloc}{path}?{pairs}"


def broker(url: str) -> str:
    """The same Redis in Celery's spelling (kombu has its own for sockets, numbers and TLS)."""
    parts, number = split_url("REDIS_URL", url), redis_number(url)
    if parts.scheme == "unix":
        credentials = f"{parts.netloc}" if parts.netloc else ""
        return f"redis+socket://{credentials}{parts.path}?virtual_host={number}"
    tls = "?ssl_cert_reqs=required" if parts.scheme == "rediss" else ""
    return f"{parts.scheme}://{parts.netloc}/{number}{tls}"
