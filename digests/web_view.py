"""A frozen issue inside a page of the site: its body as it was sent, and its style rules, which end where it ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from digests import archive
from digests.models import Snapshot

# Outlook's own rules and tables are in comments; no browser reads them.
COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
STYLE: Final = re.compile(r"<style\b(?P<attributes>[^>]*)>(?P<rules>.*?)</style>", re.DOTALL | re.IGNORECASE)
MEDIA: Final = re.compile(r"\bmedia=\"([^\"]*)\"", re.IGNORECASE)
BODY: Final = re.compile(r"<body\b[^>]*>(.*)</body>", re.DOTALL | re.IGNORECASE)
HEADING: Final = re.compile(r"<h1\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WebView:
    """The two parts of a mail that a page shows. `has_heading`: the body names itself in an <h1>."""

    styles: str
    body: str
    has_heading: bool


def of(*, snapshot: Snapshot) -> WebView:
    """What the issue's readers got, without anybody's links. A document without a body is shown as it is."""
    html = COMMENT.sub("", archive.web_html(snapshot=snapshot))
    inside = BODY.search(html)
    body = inside[1] if inside else html
    styles = "\n".join(_rules(style) for style in STYLE.finditer(html))
    return WebView(styles=styles, body=STYLE.sub("", body), has_heading=bool(HEADING.search(body)))


def _rules(style: re.Match[str]) -> str:
    media = MEDIA.search(style["attributes"])
    return f"@media {media[1]} {{ {style['rules']} }}" if media else style["rules"]
