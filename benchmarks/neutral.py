"""Does the response time reveal whose address it was? Real web server, worker, database and mail server.

Every form that takes an address gets ROUNDS requests for an address in each state, in random order. Each
address and each network is used once. Figures: the median response time of each state, and the largest
difference between two of them (target: 5 ms).
"""

from __future__ import annotations

import functools
import http.client
import itertools
import os
import random
import re
import statistics
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import time as hour
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _audience, _figures, _postfix, _site

from django.conf import settings  # isort: skip  # _audience sets Django up
from django.utils import timezone  # isort: skip  # as above

from mailkit import addresses  # isort: skip  # as above
from subscribers import consent, erasure, signup, suppression  # isort: skip  # as above
from subscribers.models import CadenceOffer, Newsletter, Subscriber, Suppression  # isort: skip  # as above

ROUNDS = int(os.environ.get("ROUNDS", "200"))
NOBODY = consent.Evidence(source="bench")

say = functools.partial(_figures.say, "neutral")


def main() -> None:
    """Measure both forms."""
    tools = _postfix.find(Path(settings.VAR_DIR))
    if tools is None:
        sys.exit("smtp-sink cannot be had: install Debian's postfix package for this benchmark.")
    newsletter = _audience.create(readers=1)
    CadenceOffer.objects.get_or_create(newsletter=newsletter, cadence="daily", defaults={"send_at": hour(7)})
    with _postfix.sink(tools) as port:
        site = {"EMAIL_URL": f"smtp://127.0.0.1:{port}"} | _keys()
        with _site.web(site) as (web, _), _site.worker(site, queues="transactional", concurrency=1):
            form = Form(web)
            for route in ("/subscribe/", "/preferences/"):
                form.measure(route, newsletter)


def _keys() -> dict[str, str]:
    """The keys of this process, so that the addresses that it prepares are those that the site sees."""
    return {"ADDRESS_HASH_KEY": settings.ADDRESS_HASH_KEY, "SECRET_KEY": settings.SECRET_KEY}


class Form:
    """A reader's browser at one of the two forms."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.networks = (f"10.{high}.{low}.1" for high, low in itertools.product(range(256), range(256)))

    def measure(self, route: str, newsletter: Newsletter) -> None:
        """Send one request for an address of each state per round; print the medians."""
        token = self._token() if route == "/subscribe/" else ""
        asked = {name: prepare(newsletter, f"{name}{route[1]}") for name, prepare in STATES.items()}
        times: dict[str, list[float]] = {name: [] for name in [*STATES, "asked too often"]}
        for number in range(ROUNDS + 1):
            for name in random.sample(list(times), len(times)):
                seconds = self._one(route, name, asked, number, token)
                # The first round opens connections and fills caches.
                times[name] += [seconds] if number else []
        medians = {name: statistics.median(seconds) * 1000 for name, seconds in times.items()}
        for name, median in medians.items():
            say("median", median, "ms", route=route, state=name, requests=ROUNDS)
        say("largest difference", max(medians.values()) - min(medians.values()), "ms", route=route)

    def _one(self, route: str, name: str, asked: dict[str, Iterator[str]], number: int, token: str) -> float:
        if name == "asked too often":
            return self.ask(route, f"again{number}@twice{number}.org", token, before=1)
        return self.ask(route, next(asked[name]), token)

    def ask(self, route: str, address: str, token: str, *, before: int = 0) -> float:
        """Seconds to the response, after `before` requests for the same address."""
        fields = {"address": address, "newsletters": "bench", "consent": "on", "form_token": token}
        body = urllib.parse.urlencode(fields)
        for _ in range(before + 1):
            seconds = self._post(route, body, next(self.networks))
        return seconds

    def _post(self, route: str, body: str, network: str) -> float:
        headers = {"Host": _site.HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": network}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.connect()
        began = time.perf_counter()
        connection.request("POST", route, body, headers)
        response = connection.getresponse()
        response.read()
        seconds = time.perf_counter() - began
        connection.close()
        if response.status != http.HTTPStatus.SEE_OTHER:
            sys.exit(f"{route} answered {response.status}.")
        return seconds

    def _token(self) -> str:
        """The seal of the second form, once it is old enough to be sent. The first form looks nothing up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {
            "Host": _site.HOST,
            "X-Forwarded-Proto": "https",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request("POST", "/subscribe/", "address=seal@readers.org", headers)
        page = connection.getresponse().read().decode()
        connection.close()
        time.sleep(3)
        seal = re.search(r'name="form_token" value="([^"]+)"', page)
        return seal[1] if seal else ""


def unknown(newsletter: Newsletter, name: str) -> Iterator[str]:
    """Addresses that the site has never seen."""
    return iter([f"{name}{number}@{name}{number}.org" for number in range(ROUNDS + 1)])


def pending(newsletter: Newsletter, name: str) -> Iterator[str]:
    """Addresses that signed up and did not confirm."""
    asked = list(unknown(newsletter, name))
    for address in asked:
        wishes = [(newsletter, "daily")]
        signup.request(
            address=addresses.normalise(address), newsletter_cadences=wishes, evidence=NOBODY, now=timezone.now()
        )
    return iter(asked)


def confirmed(newsletter: Newsletter, name: str) -> Iterator[str]:
    """Addresses with a confirmed subscription."""
    asked = list(pending(newsletter, name))
    for address in asked:
        subscriber = Subscriber.objects.get(address=address)
        signup.subscribe_proven(
            subscriber=subscriber, wishes=[(newsletter, "daily")], evidence=NOBODY, now=timezone.now()
        )
    return iter(asked)


def left(newsletter: Newsletter, name: str) -> Iterator[str]:
    """Addresses that unsubscribed."""
    asked = list(confirmed(newsletter, name))
    for address in asked:
        subscriber = Subscriber.objects.get(address=address)
        signup.unsubscribe_all(subscriber=subscriber, evidence=NOBODY, reason="bench", now=timezone.now())
    return iter(asked)


def suppressed(newsletter: Newsletter, name: str) -> Iterator[str]:
    """Addresses that subscribed and then bounced."""
    asked = list(confirmed(newsletter, name))
    for address in asked:
        key = addresses.normalise(address).key
        suppression.suppress(address_key=key, reason=Suppression.Reason.HARD_BOUNCE, actor=None, now=timezone.now())
    return iter(asked)


def erased(newsletter: Newsletter, name: str) -> Iterator[str]:
    """Addresses that subscribed and were then erased."""
    asked = list(confirmed(newsletter, name))
    for address in asked:
        erasure.erase(address_key=addresses.normalise(address).key, evidence=NOBODY, actor=None, now=timezone.now())
    return iter(asked)


Prepare = Callable[[Newsletter, str], Iterator[str]]
STATES: dict[str, Prepare] = {
    function.__name__: function for function in (unknown, pending, confirmed, left, suppressed, erased)
}

if __name__ == "__main__":
    main()
