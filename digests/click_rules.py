"""Distinguishes people who follow a link of a mail from machines that open it, by the rule of decisions/0123.

The first part looks at one request alone. The second looks at what one network did within a few seconds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# One network that opens this many different links of an issue within WINDOW seconds is a scanner.
MANY: Final = 4
WINDOW: Final = 10.0

# Words of programs that open links by themselves; asked of the whole User-Agent in lower case.
ROBOTS: Final = re.compile(
    r"bot\b|bot/|crawl|spider|scan|preview|fetch|monitor|archiv|headless|phantom|curl|wget|python|java/|okhttp|go-http"
    r"|libwww|httpclient|axios|node|ruby|perl|facebookexternalhit|whatsapp|telegram|slack|discord|skype|embedly"
    r"|googleimageproxy|barracuda|mimecast|proofpoint|symantec|messagelabs|forcepoint|trendmicro|sophos|safelinks"
    r"|ms-office|microsoft office|outlook-|yahoomailproxy|cloudmark|virustotal|urldefense|link ?check"
)
# Browsers that name their purpose (Sec-Fetch-*) on each request over https since these versions.
MODERN: Final = (
    (re.compile(r"chrome/(\d+)"), 80), (re.compile(r"firefox/(\d+)"), 90),
    (re.compile(r"version/(\d+)[.\d]* .*safari"), 17),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at a link, as far as it is kept: for seconds, and in this process only.

    `network` is the first part of the address, `at` is in seconds, `is_machine` is what the request alone says.
    """

    issue_id: int
    url: str
    network: str
    agent: int
    at: float
    is_machine: bool


def sign_of_machine(*, method: str, headers: Mapping[str, str], is_secure: bool) -> str:
    """The name of the rule by which this request is a machine's; empty if none says so."""
    agent = headers.get("User-Agent", "").lower()
    purpose = " ".join(headers.get(name, "") for name in ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz")).lower()
    mode, destination = headers.get("Sec-Fetch-Mode", ""), headers.get("Sec-Fetch-Dest", "")
    if method != "GET":
        return "method"
    if "prefetch" in purpose or "preview" in purpose or "prerender" in purpose:
        return "prefetch"
    if not agent:
        return "no agent"
    if ROBOTS.search(agent):
        return "robot"
    if (mode and mode != "navigate") or (destination and destination != "document"):
        return "no navigation"
    if is_secure and not mode and any(_is_since(agent, *browser) for browser in MODERN):
        return "pretends to be a browser"
    return ""


def counted(visits: Iterable[Visit]) -> list[tuple[Visit, bool]]:
    """The visits that count, each with whether it was a machine's.

    A second visit of one program to the same link within WINDOW is no second click. Before: all visits of any
    WINDOW are among these, as far as the caller could wait for them.
    """
    result = []
    groups: dict[tuple[int, str], list[Visit]] = {}
    for visit in sorted(visits, key=lambda one: one.at):
        groups.setdefault((visit.issue_id, visit.network), []).append(visit)
    for group in groups.values():
        last: dict[tuple[str, int, bool], float] = {}
        for visit, is_scan in zip(group, _scans(group), strict=True):
            same = (visit.url, visit.agent, visit.is_machine)
            before, last[same] = last.get(same), visit.at
            if before is None or visit.at - before > WINDOW:
                result.append((visit, visit.is_machine or is_scan))
    return result


def _scans(group: Sequence[Visit]) -> list[bool]:
    """For each visit of a network, in their order: whether some WINDOW that holds it holds MANY different links.

    Each visit is looked at a few times only: somebody may send very many.
    """
    scans = [False] * len(group)
    links = Counter[str]()
    end = marked = 0
    for start, first in enumerate(group):
        while end < len(group) and group[end].at <= first.at + WINDOW:
            links[group[end].url] += 1
            end += 1
        if len(links) >= MANY:
            marked = max(marked, start)
            scans[marked:end] = [True] * (end - marked)
            marked = end
        links[first.url] -= 1
        if not links[first.url]:
            del links[first.url]
    return scans


def _is_since(agent: str, name: re.Pattern[str], version: int) -> bool:
    match = name.search(agent)
    return match is not None and int(match[1]) >= version
