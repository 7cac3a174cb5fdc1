"""A frozen issue inside a page of the site: its body as it was sent, and its style rules, which end where it ends.

Outlook's engine needs attributes that HTML has no more. A page says the same in styles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from digests import archive
from digests.models import Frozen
from mailkit import absolute_links

# Outlook's own rules and tables are in comments; no browser reads them.
COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
STYLE: Final = re.compile(r"<style\b(?P<attributes>[^>]*)>(?P<rules>.*?)</style>", re.DOTALL | re.IGNORECASE)
MEDIA: Final = re.compile(r"\bmedia=\"([^\"]*)\"", re.IGNORECASE)
BODY: Final = re.compile(r"<body\b[^>]*>(.*)</body>", re.DOTALL | re.IGNORECASE)
HEADING: Final = re.compile(r"<h1\b", re.IGNORECASE)
# Attributes of tables and their parts -> the style property that says the same. Without one, `.mail` has it for all.
OLD: Final = {
    "align": "text-align", "bgcolor": "background-color", "border": "", "cellpadding": "", "cellspacing": "",
    "height": "height", "valign": "vertical-align", "vertical-align": "vertical-align", "width": "width",
}  # fmt: skip
OF_TABLES: Final = frozenset({"table", "tbody", "thead", "tfoot", "tr", "td", "th"})
# Declarations for programs that read mail, which no browser knows.
OF_MAILS: Final = re.compile(r"(?<![\w-])(?:mso-[a-z-]+|supported-color-schemes)\s*:[^;}]*;?\s*")
WHOLE_NUMBER: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class WebView:
    """The two parts of a mail that a page shows. `has_heading`: the body names itself in an <h1>."""

    styles: str
    body: str
    has_heading: bool


def of(*, snapshot: Frozen) -> WebView:
    """What the issue's readers got, without anybody's links. A document without a body is shown as it is."""
    html = COMMENT.sub("", archive.web_html(snapshot=snapshot))
    inside = BODY.search(html)
    body = absolute_links.rewrite(STYLE.sub("", inside[1] if inside else html), _today)
    styles = "\n".join(_rules(style) for style in STYLE.finditer(html))
    return WebView(styles=styles, body=body, has_heading=bool(HEADING.search(body)))


def _rules(style: re.Match[str]) -> str:
    media = MEDIA.search(style["attributes"])
    rules = OF_MAILS.sub("", style["rules"])
    return f"@media {media[1]} {{ {rules} }}" if media else rules


def _today(tag: str, attributes: absolute_links.Attributes) -> absolute_links.Attributes:
    """The attributes of an element as HTML has them today."""
    if tag == "img":
        return {name: value for name, value in attributes.items() if name not in {"width", "height"} or _is_size(value)}
    if style := attributes.get("style"):
        attributes = attributes | {"style": OF_MAILS.sub("", style)}
    if tag not in OF_TABLES:
        return attributes
    shown = {name: value for name, value in attributes.items() if name not in OLD}
    rules = [rule for rule in (shown.pop("style", "") or "").split(";") if rule.strip()]
    stated = {rule.partition(":")[0].strip() for rule in rules}
    for name, value in attributes.items():
        # A style overrules the attribute, and a table that is aligned would be a table that floats.
        if (rule := OLD.get(name)) and value and rule not in stated and (tag, name) != ("table", "align"):
            rules.append(f"{rule}:{value}{'px' * _is_size(value)}")
    return shown | ({"style": ";".join(rules)} if rules else {})


def _is_size(value: str | None) -> bool:
    return WHOLE_NUMBER.fullmatch(value or "") is not None
