"""Has a shared cache in front of the site (a CDN, Varnish) drop the pages that have changed.

The row comes before the call: what is to be dropped is what `PageVersion` has above the number up to which a cache
has been purged (`SharedCache`). So nothing is lost when the cache does not answer: the next minute asks for it again,
with what has changed since. See docs/operations.md.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

import requests
from django.conf import settings
from django.db.models import F

from publication import page_versions
from publication.cache_config import CacheAddress
from publication.page_versions import SharedCache

log = logging.getLogger(__name__)

SECONDS_TO_WAIT: Final = 10
# Cloudflare takes 100 tags in a request, and five requests a minute on its free plan.
TAGS_A_REQUEST: Final = 100
MOST_TAGS: Final = 5 * TAGS_A_REQUEST
# Every page has it.
ALL_PAGES: Final = "publication"


def purge_due(*, now: datetime) -> None:
    """Each minute: every configured cache drops what has changed since the last time."""
    for address in settings.PAGES.shared_caches:
        row, created = SharedCache.objects.get_or_create(name=address.name)
        changes = page_versions.since(row.purged_until, most=MOST_TAGS)
        if changes.epoch <= row.purged_until and not created:
            continue
        # Of a cache that was only now configured nobody knows what it holds.
        everything = created or row.purged_until == 0 or len(changes.numbers) > MOST_TAGS
        _purge(address, row, [ALL_PAGES] if everything else sorted(changes.numbers), changes.epoch, now)


def _purge(address: CacheAddress, row: SharedCache, tags: list[str], epoch: int, now: datetime) -> None:
    rows = SharedCache.objects.filter(pk=row.pk)
    try:
        for first in range(0, len(tags), TAGS_A_REQUEST):
            _ask(address, tags[first : first + TAGS_A_REQUEST])
    except requests.RequestException as fault:
        log.warning("the shared cache %s was not purged: %s", address.name, type(fault).__name__)
        rows.update(failures=F("failures") + 1, failed_at=now, reason=_reason(fault))
    else:
        rows.update(purged_until=epoch, purged_at=now, failures=0, reason="")


def _ask(address: CacheAddress, tags: list[str]) -> None:
    """Drop the pages with these tags. On failure: requests.RequestException."""
    session, words = requests.Session(), " ".join(tags)
    match address.kind:
        case "cloudflare":
            request = requests.Request(
                "POST", f"{address.url}/client/v4/zones/{address.account}/purge_cache", json={"tags": tags},
                headers={"Authorization": f"Bearer {address.token}"},
            )  # fmt: skip
        case "fastly":
            # Soft: what is dropped may still be shown while the new page is fetched, or the site is away.
            request = requests.Request(
                "POST", f"{address.url}/service/{address.account}/purge",
                headers={"Fastly-Key": address.token, "Surrogate-Key": words, "Fastly-Soft-Purge": "1"},
            )  # fmt: skip
        case _:
            request = requests.Request("PURGE", f"{address.url}/", headers={"xkey-softpurge": words})
    session.trust_env = False
    with session:
        session.send(session.prepare_request(request), timeout=SECONDS_TO_WAIT).raise_for_status()


def _reason(fault: requests.RequestException) -> str:
    """The status, or what kind of fault it was; never an address or a token."""
    return f"HTTP {fault.response.status_code}" if fault.response is not None else type(fault).__name__
