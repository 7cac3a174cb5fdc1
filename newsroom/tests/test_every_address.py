"""Every address of the admin, as the resolver lists them: who is not signed in gets nothing."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from publication.models import Publication

pytestmark = pytest.mark.django_db

# What somebody who is not signed in may ask for: to sign in, to join, to get a new password.
OPEN: Final = {
    "account_login", "login", "account_join", "account_again", "account_inactive", "account_reset_password",
    "account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done",
}  # fmt: skip
EXAMPLES: Final = {
    "int": "1",
    "uuid": "7c5a1c5e-5b0e-4c7e-9f0e-1d7f5d3e2a10",
    "slug": "publish",
    "str": "x",
    "path": "1",
}
NONE: Final = {401, 403, 404, 405}


def patterns(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, str]]:
    """Each address under the resolver, with its name."""
    for each in resolver.url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route, each.name or ""
        else:
            yield from patterns(each, route)


def addresses(besides: set[str]) -> list[str]:
    """An example of each address of the admin, but for those of these names."""
    fixed = [(route, name) for route, name in patterns(get_resolver()) if route.startswith("admin/")]
    examples = [
        "/" + re.sub(r"<(\w+):\w+>", lambda match: EXAMPLES[match[1]], route)
        for route, name in fixed
        if name not in besides and "^" not in route and "(?P<url>" not in route
    ]
    assert len(examples) > 150
    return examples


def test_nobody_gets_anything_without_a_session(publication: Publication) -> None:
    browser, given = Client(), []
    for address in addresses(OPEN):
        for response in (browser.get(address), browser.post(address)):
            to_sign_in = response.status_code == 302 and "/login/" in response.headers["Location"]
            given += [] if to_sign_in or response.status_code in NONE else [(address, response.status_code)]
    assert not given
