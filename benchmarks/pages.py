"""How many public pages a second does the site serve, beside a bare Django view under the same server?

The site runs as `bin/run` starts it in production, with the demonstration stories. Beside it, under the same server
with as many workers, a Django application with one view of constant bytes and no middleware. In each of ROUNDS rounds
all are asked one after the other over CONNECTIONS connections for SECONDS. Figures, as medians of the rounds: requests
a second of the bare view and of each cached page; the ratio to the bare view of the same round; the 99th percentile in
milliseconds; the same for 304 and for Brotli; and pages a second that are not cached: of one story, whose own words the
process has, and of COPIES (3,000) stories in turn, which are more than it has room for, so that each is read again.
The load comes from wrk, which is one thread that asks far more than Python can serve (Debian's package wrk).
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

import django

from benchmarks import _figures, _site

django.setup()

from django.core.management import call_command  # noqa: E402  # as above
from django.db import connection  # noqa: E402  # as above

from articles.models import Article  # noqa: E402  # as above
from newsroom import owner  # noqa: E402  # as above

SECONDS = int(os.environ.get("SECONDS", "10"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "16"))
COPIES = int(os.environ.get("COPIES", "3000"))

# Older than what the demonstration shows, so that lists stay as they are. Without the triggers.
COPIED = """
SET session_replication_role = replica;
INSERT INTO articles_article
    (language, headline, slug, standfirst, body_markdown, body_html, body_text, body_sha256, section_id, lead_image_id,
     state, published_at, first_published_at, withdrawal_reason, returned_reason, created_at, updated_at)
SELECT language, headline, slug || '-' || number, standfirst, body_markdown, body_html, body_text, body_sha256,
    section_id, lead_image_id, state, published_at - interval '9 years', first_published_at, '', '', created_at,
    updated_at
FROM articles_article, generate_series(1, %(copies)s) AS number WHERE id = %(story)s ON CONFLICT DO NOTHING;
INSERT INTO articles_article_tags (article_id, tag_id)
SELECT copy.id, tag_id FROM articles_article_tags, articles_article AS copy
WHERE article_id = %(story)s AND copy.slug ~ (%(slug)s || '-[0-9]+$') ON CONFLICT DO NOTHING;
INSERT INTO articles_byline (article_id, author_id, position)
SELECT copy.id, author_id, position FROM articles_byline, articles_article AS copy
WHERE article_id = %(story)s AND copy.slug ~ (%(slug)s || '-[0-9]+$') ON CONFLICT DO NOTHING;
SET session_replication_role = origin;
ANALYZE articles_article;
ANALYZE articles_article_tags;
ANALYZE articles_byline;
"""
# Asks for one copy after the other.
IN_TURN = """
local number = 0
request = function()
    number = number %% %d + 1
    return wrk.format("GET", "%s-" .. number .. "/")
end
"""

BARE = """
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="bare", MIDDLEWARE=[])
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
PAGE = b"<p>" + b"x" * 30_000
urlpatterns = [path("", lambda request: HttpResponse(PAGE))]
application = get_wsgi_application()
"""
say = functools.partial(_figures.say, "pages")


def main() -> None:
    """Measure all pages in turns."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk cannot be found: install Debian's package wrk for this benchmark.")
    with owner.rights():
        call_command("migrate", verbosity=0)
    if not Article.objects.exists():
        call_command("demo", verbosity=0)
    newest = Article.objects.published().newest_first()[0]
    story = newest.get_absolute_url()
    _copy(newest)
    with tempfile.TemporaryDirectory() as folder, _site.web({}) as (port, _), _site.bare(Path(folder), BARE) as bare:
        measure = functools.partial(_measure, wrk, Path(folder))
        site = f"http://127.0.0.1:{port}"
        asked = {
            "bare view": functools.partial(measure, f"http://127.0.0.1:{bare}/", {}),
            **{name: functools.partial(measure, site + path, {"Accept-Encoding": coding})
               for name, path, coding in [("article", story, "gzip"), ("front page", "/", "gzip"),
                                          ("feed", "/feed.rss", "gzip"), ("article, Brotli", story, "br"),
                                          ("article, identity", story, "identity")]},
            "article, 304": functools.partial(measure, site + story, {"If-None-Match": _etag(site + story)}),
            "article, not cached": functools.partial(measure, site + story, {"Authorization": "Basic nobody"}),
            "articles in turn, not cached": functools.partial(
                measure, site + story, {"Authorization": "Basic nobody"}, in_turn=IN_TURN % (COPIES, story.rstrip("/"))
            ),
        }  # fmt: skip
        _report([{name: ask() for name, ask in asked.items()} for _ in range(ROUNDS)])


def _report(rounds: list[dict[str, tuple[float, float]]]) -> None:
    for name in rounds[0]:
        rates = [each[name][0] for each in rounds]
        more = {
            "lowest": min(rates),
            "highest": max(rates),
            "ratio": round(statistics.median(each[name][0] / each["bare view"][0] for each in rounds), 2),
            "p99_ms": statistics.median(each[name][1] for each in rounds),
        }
        say(name, statistics.median(rates), "requests/s", **more)


def _copy(story: Article) -> None:
    with owner.rights(), connection.cursor() as cursor:
        for statement in COPIED.strip().split(";\n"):
            cursor.execute(statement, {"copies": COPIES, "story": story.pk, "slug": story.slug})


def _measure(wrk: str, folder: Path, url: str, headers: dict[str, str], *, in_turn: str = "") -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds."""
    sent = _proxy_headers() | headers
    options = [part for name, value in sent.items() for part in ("-H", f"{name}: {value}")]
    if in_turn:
        script = folder / "in-turn.lua"
        script.write_text(in_turn, encoding="utf-8")
        options += ["-s", str(script)]
    command = [wrk, "-t1", f"-c{CONNECTIONS}", "--latency", *options, url]
    subprocess.run([*command, "-d1s"], check=True, capture_output=True)
    printed = subprocess.run([*command, f"-d{SECONDS}s"], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in printed:
        sys.exit(f"{url} was not answered well:\n{printed}")
    rate, slow = re.search(r"Requests/sec:\s*([\d.]+)", printed), re.search(r"99%\s+([\d.]+)(us|ms|s)", printed)
    if rate is None or slow is None:
        sys.exit(f"wrk says something else:\n{printed}")
    return float(rate[1]), float(slow[1]) * {"us": 0.001, "ms": 1.0, "s": 1_000.0}[slow[2]]


def _proxy_headers() -> dict[str, str]:
    """What the proxy in front of the site adds."""
    return {"Host": _site.HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}


def _etag(url: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=_proxy_headers())) as response:  # noqa: S310  # our own
        return str(response.headers["ETag"])


if __name__ == "__main__":
    main()
