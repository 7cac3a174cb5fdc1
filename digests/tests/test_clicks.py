"""Links are counted without a person, lead nowhere that we did not sign, and keep nobody waiting."""

import re
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from digests import click_rules, clicks, freezing, mail_size
from digests.click_rules import Visit
from digests.models import Issue, LinkCount
from mailkit import segments
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
SAFARI_16 = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Safari/605.1.15"
OUTSIDE = "https://example.org/a?b=1&c=%2F#d"


@pytest.fixture(autouse=True)
def no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests write themselves, and begin with nothing to write."""
    monkeypatch.setattr(clicks, "_start", lambda: None)
    monkeypatch.setattr(clicks, "_waiting", [])


@pytest.fixture
def link(digest: Issue) -> str:
    return clicks.address(issue_id=digest.pk, url=OUTSIDE)


def path_of(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def follow(link: str, client: Client, **headers: str) -> Any:
    return client.get(path_of(link), headers={"User-Agent": FIREFOX} | headers)


def test_only_the_mail_has_counted_links_and_it_fits(digest: Issue, now: Any, settings: Settings) -> None:
    digest.introduction = f"Read [this]({OUTSIDE}) and [terms]({settings.SITE_URL}/legal/terms/)."
    digest.save()
    snapshot = freezing.freeze(issue=digest, now=now)
    mail = segments.CompiledMessage.load(snapshot.compiled).html
    links = set(re.findall(r'href="([^"]*/l/[^"]*)"', mail))
    found_to = {parse_qs(urlsplit(one.replace("&amp;", "&")).query)["to"][0] for one in links}
    assert found_to == {OUTSIDE, "/articles/story-1/", "/articles/story-2/", "/articles/story-3/"}
    assert "/l/" not in snapshot.html
    assert "/legal/terms/" in mail
    assert "%%unsubscribe_url%%" in mail
    assert mail_size.excess(mail) <= 0
    assert freezing.verify(snapshot=snapshot)


def test_a_newsletter_may_leave_its_links_alone(digest: Issue, now: Any) -> None:
    Newsletter.objects.update(counts_clicks=False)
    digest.refresh_from_db()
    snapshot = freezing.freeze(issue=digest, now=now)
    assert segments.CompiledMessage.load(snapshot.compiled).html == snapshot.html


def test_it_leads_on_without_asking_anybody(
    link: str, digest: Issue, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = follow(link, client)
        client.head(path_of(link), headers={"User-Agent": FIREFOX})
        follow(link, client, **{"User-Agent": "Slackbot-LinkExpanding 1.0"})
    assert (response.status_code, response["Location"], response["Cache-Control"]) == (302, OUTSIDE, "no-store")
    assert not response.cookies

    assert clicks.write() == 3
    count = LinkCount.objects.get()
    assert (count.issue, count.url, count.people, count.machines) == (digest, OUTSIDE, 1, 2)
    # Another hour's visits are added, and those of an issue that nobody has are dropped.
    clicks.note(visit=Visit(digest.pk, OUTSIDE, "n", 1, 0.0, False))
    clicks.note(visit=Visit(10**9, OUTSIDE, "n", 1, 0.0, False))
    clicks.write()
    assert sum(LinkCount.objects.values_list("people", flat=True)) == 2


def test_nobody_waits_for_a_database_that_is_away(
    link: str, digest: Issue, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_counts: object) -> None:
        raise OperationalError

    follow(link, client)
    with monkeypatch.context() as patched:
        patched.setattr(clicks, "_add", away)
        assert clicks.write() == 0
    assert follow(link, client).status_code == 302
    assert clicks.write() == 1  # the second one within seconds is the same click
    assert LinkCount.objects.get().people == 1


def test_only_what_we_signed_leads_elsewhere(link: str, client: Client, settings: Settings) -> None:
    token = urlsplit(link).path
    evil = "https://evil.example/"
    for target in (evil, "//evil.example/", "/\\evil.example/", "javascript:alert(1)", OUTSIDE + "x", ""):
        assert client.get(token, {"to": target}).status_code == 404, target
    assert client.get("/l/AAAA/", {"to": evil}).status_code == 404
    # Our own pages are no secret: a link whose key is gone still leads there, and is not counted.
    own = client.get("/l/AAAA/", {"to": "/articles/story-1/"})
    assert own["Location"] == f"{settings.SITE_URL}/articles/story-1/"
    assert client.post(path_of(link)).status_code == 405
    assert clicks.write() == 0
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key, much later"
    assert follow(link, client)["Location"] == OUTSIDE


NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@rows(
    ("method", "secure", "headers", "sign"),
    [
        ("GET", True, {"User-Agent": FIREFOX, **NAVIGATES, "Sec-Fetch-User": "?1"}, ""),
        # A mail program opens the browser: no user activation is named, and it is a person all the same.
        ("GET", True, {"User-Agent": CHROME, **NAVIGATES}, ""),
        ("GET", True, {"User-Agent": SAFARI_16}, ""),
        ("GET", False, {"User-Agent": CHROME}, ""),
        ("HEAD", True, {"User-Agent": CHROME, **NAVIGATES}, "method"),
        ("GET", True, {"User-Agent": CHROME, **NAVIGATES, "Sec-Purpose": "prefetch;prerender"}, "prefetch"),
        ("GET", True, {"User-Agent": FIREFOX, "X-Moz": "prefetch"}, "prefetch"),
        ("GET", True, {}, "no agent"),
        ("GET", True, {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, "robot"),
        ("GET", True, {"User-Agent": "python-requests/2.32"}, "robot"),
        ("GET", True, {"User-Agent": "Mozilla/5.0 HeadlessChrome/126.0", **NAVIGATES}, "robot"),
        ("GET", True, {"User-Agent": CHROME, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, "no navigation"),
        ("GET", True, {"User-Agent": CHROME}, "pretends to be a browser"),
    ],
)
def test_the_rule_for_one_request(method: str, secure: bool, headers: dict[str, str], sign: str) -> None:
    assert click_rules.sign_of_machine(method=method, headers=headers, is_secure=secure) == sign


@rows(
    ("visits", "people", "machines"),
    [
        # One reader, one link; the same link twice at once; a minute later.
        ([("a", 1, 0.0)], 1, 0),
        ([("a", 1, 0.0), ("a", 1, 2.0)], 1, 0),
        ([("a", 1, 0.0), ("a", 1, 60.0)], 2, 0),
        # An office: two people read the same story.
        ([("a", 1, 0.0), ("a", 2, 2.0)], 2, 0),
        ([("a", 1, 0.0), ("b", 1, 3.0), ("c", 1, 6.0)], 3, 0),
        # Four links within seconds are a scanner's, whatever it calls itself.
        ([("a", 1, 0.0), ("b", 2, 1.0), ("c", 1, 2.0), ("d", 1, 3.0)], 0, 4),
        ([("a", 1, 0.0), ("b", 1, 20.0), ("c", 1, 40.0), ("d", 1, 60.0)], 4, 0),
        ([("a", 1, 0.0), ("b", 1, 1.0), ("c", 1, 2.0), ("d", 1, 3.0), ("e", 1, 300.0)], 1, 4),
    ],
)
def test_the_rule_for_what_one_network_does(visits: list[tuple[str, int, float]], people: int, machines: int) -> None:
    of_one = [Visit(1, url, "198.51.100.0/24", agent, at, False) for url, agent, at in visits]
    elsewhere = Visit(1, "b", "192.0.2.0/24", 1, 1.5, False)
    verdicts = [is_machine for visit, is_machine in click_rules.counted([*of_one, elsewhere]) if visit is not elsewhere]
    assert (verdicts.count(False), verdicts.count(True)) == (people, machines)


def test_a_flood_of_visits_is_judged_at_once() -> None:
    """Each from another program, so that each counts; compared pairwise they would take hours."""
    flood = [Visit(1, f"u{number % 3}", "n", number, number / 2_000, False) for number in range(20_000)]
    began = time.process_time()
    verdicts = click_rules.counted([*flood, Visit(1, "u3", "n", 0, 10.0, False)])
    assert time.process_time() - began < 5
    assert (len(verdicts), sum(is_machine for _visit, is_machine in verdicts)) == (20_001, 20_001)


def test_a_visit_is_judged_when_its_window_is_over(digest: Issue) -> None:
    for number in range(3):
        clicks.note(visit=Visit(digest.pk, f"https://a.example/{number}", "n", 1, 100.0 + number, False))
    assert clicks.write(now=105.0) == 0
    clicks.note(visit=Visit(digest.pk, "https://a.example/last", "n", 1, 106.0, False))
    assert clicks.write(now=117.0) == 4
    assert sum(LinkCount.objects.values_list("machines", flat=True)) == 4


def test_a_network_that_is_never_quiet_is_counted_all_the_same(digest: Issue) -> None:
    for number in range(13):
        clicks.note(visit=Visit(digest.pk, OUTSIDE, "n", number, 100.0 + 5 * number, False))
        clicks.note(visit=Visit(digest.pk, OUTSIDE, "quiet", number, 155.0, False))
    assert clicks.write(now=160.0) == 0
    assert clicks.write(now=161.0) == 13
    assert clicks.write(now=166.0) == 13
    assert sum(LinkCount.objects.values_list("people", flat=True)) == 26


def test_the_thread_writes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    written = threading.Event()
    monkeypatch.setattr(clicks, "SECONDS", 0.01)
    monkeypatch.setattr(clicks, "write", lambda now=None: written.set())
    clicks._start()
    assert written.wait(10)
