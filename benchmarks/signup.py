"""How many sign-ups a second does the site take, beside a bare Django view that inserts one row? Is the chain whole?

The site runs as `bin/run` starts it in production, with one newsletter and its legal texts. A sign-up is both of its
steps: the address, answered with the second form, and then that form, each time with another address, mail domain and
network, over CONNECTIONS connections. Beside it, under the same server with as many workers, a Django application with
one view that inserts one row and commits. In each of ROUNDS rounds both are asked one after the other for SECONDS.
Figures, as medians of the rounds: sign-ups a second, the bare view's rows a second, and their ratio; what one sign-up
costs the web processes and PostgreSQL in milliseconds of CPU, and how many a second two cores would take at that cost
if nothing else ran on them; how long the slowest step of a hundred took. Afterwards
the whole record of consent is verified, link by link, and counted beside the sign-ups: none may be missing or broken.

Letters are queued, and nobody sends them here: they leave at a pace of their own. The load comes from wrk, which is one
thread that asks far more than Python can serve (Debian's package wrk).
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from datetime import time as hour
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

import psutil

from benchmarks import _audience, _figures, _measuring, _site

from django.conf import settings  # isort: skip  # _audience sets Django up
from django.db import connection  # isort: skip  # as above
from django.utils import timezone  # isort: skip  # as above

from newsroom import owner  # isort: skip  # as above
from subscribers import consent, legal  # isort: skip  # as above
from subscribers.models import CadenceOffer, ConsentEvent, LegalDocument, LegalVersion  # isort: skip  # as above

SECONDS = int(os.environ.get("SECONDS", "10"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "16"))
# As a proxy that ends TLS passes them on.
PROXY = {"Host": _site.HOST, "X-Forwarded-Proto": "https", "Content-Type": "application/x-www-form-urlencoded"}
NO_LIMITS = dict.fromkeys(["SIGNUP_LIMIT_OVERALL"], "")

# Both steps for one person after the other. A network and a mail domain are used once.
BOTH_STEPS = """
local number, is_second = 0, true
wrk.method = "POST"
for name, value in pairs({%(headers)s}) do wrk.headers[name] = value end
request = function()
    is_second = not is_second
    if not is_second then number = number + 1 end
    local address = "address=reader" .. number .. "%%40%(name)s" .. number .. ".org"
    wrk.headers["X-Forwarded-For"] = string.format("10.%%d.%%d.1", math.floor(number / 256) %% 256, number %% 256)
    return wrk.format(nil, "/subscribe/", nil, is_second and address .. "%(rest)s" or address)
end
"""
BARE = """
from django.conf import settings
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="bare", MIDDLEWARE=[], DATABASES={"default": DATABASE}
)
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponseRedirect
from django.urls import path

def insert(request):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_row (address) VALUES (%s)", [request.POST["address"]])
    return HttpResponseRedirect("/sent/")

urlpatterns = [path("subscribe/", insert)]
application = get_wsgi_application()
"""
say = functools.partial(_figures.say, "signup")


class Measured(NamedTuple):
    """What a second of requests was worth."""

    per_second: float
    p99_ms: float
    web_ms: float = 0.0
    postgres_ms: float = 0.0


def main() -> None:
    """Measure both in turns, then verify the chain."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk cannot be found: install Debian's package wrk for this benchmark.")
    _prepare()
    with tempfile.TemporaryDirectory() as folder, _site.web(_keys() | NO_LIMITS) as (port, site), _bare(folder) as bare:
        form = _second_form(port)
        rounds = []
        for number in range(ROUNDS):
            rate = _load(wrk, Path(folder), bare, f"bare{number}d", "", SECONDS)
            rounds.append((rate, _signups(wrk, Path(folder), port, f"site{number}d", form, site)))
    _report(rounds)
    _verify()


def _prepare() -> None:
    newsletter = _audience.create(readers=0)
    CadenceOffer.objects.get_or_create(newsletter=newsletter, cadence="daily", defaults={"send_at": hour(7)})
    for kind in () if LegalVersion.objects.exists() else LegalDocument.Kind.values[:2]:
        document = LegalDocument.objects.create(kind=kind, slug=kind, title=kind.capitalize())
        version = legal.draft(document=document, body_markdown="# Terms\n\nBe kind.", now=timezone.now())
        legal.publish_version(version=version, actor=None, now=timezone.now())
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_row (id bigserial PRIMARY KEY, address text NOT NULL)")
        cursor.execute("GRANT INSERT ON bench_row TO PUBLIC")
        cursor.execute("GRANT USAGE ON SEQUENCE bench_row_id_seq TO PUBLIC")


def _keys() -> dict[str, str]:
    """The keys of this process, which verifies what the site has sealed."""
    return {"ADDRESS_HASH_KEY": settings.ADDRESS_HASH_KEY, "CONSENT_KEY": settings.CONSENT_KEY}


def _second_form(port: int) -> str:
    """What a browser sends besides the address, once the form is old enough to be sent."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    link.request("POST", "/subscribe/", "address=seal%40readers.org", PROXY)
    seal = re.search(r'name="form_token" value="([^"]+)"', link.getresponse().read().decode())
    link.close()
    time.sleep(3)
    fields = {"newsletters": "bench", "consent": "on", "form_token": seal[1] if seal else ""}
    return "&" + urllib.parse.urlencode(fields)


def _signups(wrk: str, folder: Path, port: int, name: str, form: str, site: psutil.Process) -> Measured:
    _load(wrk, folder, port, f"warm{name}", form, 1)
    web, servers, before = _measuring.Meter(), _measuring.Meter(), ConsentEvent.objects.count()
    web.read([site, *site.children(recursive=True)])
    servers.read(_measuring.postgres())
    asked = _load(wrk, folder, port, name, form, SECONDS)
    web.read([site, *site.children(recursive=True)])
    servers.read(_measuring.postgres())
    done = ConsentEvent.objects.count() - before
    return Measured(done / SECONDS, asked.p99_ms, web.seconds() * 1000 / done, servers.seconds() * 1000 / done)


def _load(wrk: str, folder: Path, port: int, name: str, form: str, seconds: int) -> Measured:
    """Ask for so long. Without a form only the first step is sent, again and again."""
    script = folder / "steps.lua"
    headers = ", ".join(f'["{header}"] = "{value}"' for header, value in PROXY.items())
    script.write_text(BOTH_STEPS % {"headers": headers, "name": name, "rest": form}, encoding="utf-8")
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script)]
    command.append(f"http://127.0.0.1:{port}")
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate, slow = re.search(r"Requests/sec:\s*([\d.]+)", printed), re.search(r"99%\s+([\d.]+)(us|ms|s)", printed)
    if "Non-2xx" in printed or rate is None or slow is None:
        sys.exit(f"A sign-up was not answered well:\n{printed}")
    return Measured(float(rate[1]), float(slow[1]) * {"us": 0.001, "ms": 1.0, "s": 1_000.0}[slow[2]])


def _report(rounds: list[tuple[Measured, Measured]]) -> None:
    rates = [site.per_second for _, site in rounds]
    say("bare view", statistics.median(bare.per_second for bare, _ in rounds), "rows/s")
    say(
        "sign-ups", statistics.median(rates), "sign-ups/s", lowest=min(rates), highest=max(rates),
        ratio=round(statistics.median(site.per_second / bare.per_second for bare, site in rounds), 3),
        p99_ms=statistics.median(site.p99_ms for _, site in rounds),
        web_ms=round(statistics.median(site.web_ms for _, site in rounds), 2),
        postgres_ms=round(statistics.median(site.postgres_ms for _, site in rounds), 2),
        two_free_cores=round(statistics.median(2_000 / (site.web_ms + site.postgres_ms) for _, site in rounds), 1),
    )  # fmt: skip


def _verify() -> None:
    broken = consent.verify()
    say("consent events", ConsentEvent.objects.count(), "events", broken=broken.reason if broken else None)
    if broken:
        sys.exit(f"The chain is broken at event {broken.event_id}: {broken.reason}.")


def _bare(folder: str) -> contextlib.AbstractContextManager[int]:
    database = connection.settings_dict | {"ENGINE": "django.db.backends.postgresql", "TEST": {}}
    return _site.bare(Path(folder), f"DATABASE = {database!r}\n{BARE}")


if __name__ == "__main__":
    main()
