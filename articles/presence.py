"""Who has a story open to write in it. Redis remembers it for seconds; without Redis nobody is seen, no more."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

import redis
from django.contrib.auth.models import User

from articles.models import Article
from core import redis_client
from staff import names

# Three times what a page takes between two calls.
SECONDS: Final = 35
breaker: Final = redis_client.CircuitBreaker(consequence="editors do not see each other")


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody in another window: `is_self` when it is one's own."""

    name: str
    is_self: bool


def here(*, user: User, article: Article, token: str, now: datetime) -> list[Present]:
    """Say that the user has the story open in the form `token`; return who else does."""
    entries = breaker.ask(lambda server: _exchange(server, user, article.pk, token, now)) or {}
    since = now.timestamp() - SECONDS
    others = {
        (entry["user"], entry["name"])
        for form, entry in ((form.decode(), json.loads(raw)) for form, raw in entries.items())
        if form != token and entry["at"] > since
    }
    return [Present(name=name, is_self=pk == user.pk) for pk, name in sorted(others, key=lambda other: str(other[1]))]


def leave(*, article: Article, token: str) -> None:
    """The form was closed."""
    breaker.ask(lambda server: server.hdel(_key(article.pk), token))


def _exchange(server: redis.Redis, user: User, pk: int, token: str, now: datetime) -> dict[bytes, bytes]:
    entry = json.dumps({"user": user.pk, "name": names.of(user), "at": now.timestamp()})
    pipeline = server.pipeline(transaction=False)
    pipeline.hset(_key(pk), token, entry)
    pipeline.expire(_key(pk), SECONDS)
    pipeline.hgetall(_key(pk))
    return cast("dict[bytes, bytes]", pipeline.execute()[-1])


def _key(pk: int) -> str:
    return redis_client.key("presence", pk)
