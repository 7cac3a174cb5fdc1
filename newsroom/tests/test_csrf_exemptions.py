"""The addresses without a CSRF token are few, known, and each has its reason."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

# route -> why a token cannot be asked for there
SEALED = "no session to ride on: the form carries a signed token of its own (docs/decisions/0011)"
LINKED = "opened by a secret that only the mailbox knows; another site cannot name it (docs/decisions/0011)"
EXEMPT = {
    "subscribe/": SEALED,
    "preferences/": SEALED,
    "confirm/<str:token>/": LINKED,
    "address/<str:token>/": LINKED,
    "agree/<str:token>/": LINKED,
    "keep/<str:token>/": LINKED,
    "preferences/<str:token>/": LINKED,
    "preferences/<str:token>/data/": LINKED,
    "preferences/<str:token>/data.json": LINKED,
    "preferences/<str:token>/consent.json": LINKED,
    "preferences/<str:token>/address/": LINKED,
    "preferences/<str:token>/erase/": LINKED,
    "unsubscribe/<str:token>/": "RFC 8058: providers post without cookies; the signed token is the permission",
    "unsubscribe/<str:token>/again/": LINKED,
    "unsubscribe/<str:token>/reason/": LINKED,
    "webhooks/": "a mail provider posts; a signature or shared secret is verified instead",
}


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, route)
        else:
            yield route, entry


def exempt_routes() -> set[str]:
    exempt = set()
    for route, entry in routes(get_resolver().url_patterns):
        view = entry.callback
        if getattr(view, "csrf_exempt", False) and not route.startswith("admin/"):
            exempt.add(route)
    return exempt


def is_listed(route: str) -> bool:
    return any(route == listed or (listed.endswith("webhooks/") and route.startswith(listed)) for listed in EXEMPT)


def test_only_the_listed_addresses_are_exempt() -> None:
    assert [route for route in exempt_routes() if not is_listed(route)] == []


def test_the_listed_addresses_exist() -> None:
    routes = exempt_routes()
    assert EXEMPT.keys() - routes == {"webhooks/"}
    assert any(route.startswith("webhooks/") for route in routes)


def test_the_admin_exempts_nothing() -> None:
    exempt = [
        route
        for route, entry in routes(get_resolver().url_patterns)
        if route.startswith("admin/") and getattr(entry.callback, "csrf_exempt", False)
    ]
    assert exempt == []
