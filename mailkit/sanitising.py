"""What HTML may stay: one allow-list per profile, over nh3.

Imported by the sandboxed child only; it reads no settings. Everything that is not
named here goes, whether Python-Markdown or an author's own HTML made it.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import nh3

from mailkit import anchors, characters

TEXT_TAGS = frozenset(
    "a abbr b blockquote br cite code dd del dl dt em h2 h3 h4 h5 h6 hr i ins kbd li mark ol p pre q s small strong "
    "sub sup table tbody td tfoot th thead tr ul caption".split()
)
ARTICLE_TAGS = TEXT_TAGS | frozenset("aside details div figcaption figure img picture source summary time".split())
TAGS = {"article": ARTICLE_TAGS, "letter": TEXT_TAGS, "legal": TEXT_TAGS}
# Their text is no text for readers.
DROPPED_WITH_CONTENT = frozenset(
    "script style template noscript iframe object embed svg math title textarea select".split()
)

ATTRIBUTES = {
    "*": {"lang", "dir"},
    "a": {"href", "title", "class"},
    "abbr": {"title"},
    "code": {"class"},
    "aside": {"class"},
    "div": {"class", "data-card"},
    "figure": {"class"},
    **{heading: {"id"} for heading in anchors.HEADINGS},
    "img": {"src", "srcset", "sizes", "alt", "title", "width", "height", "loading", "decoding"},
    "li": {"class", "id"},
    "ol": {"start"},
    "source": {"srcset", "sizes", "type"},
    "sup": {"id"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
# What an attribute's whole value must look like; `href`, `src`, `srcset` and `id` have functions below.
VALUES = {
    "align": re.compile(r"left|right|center"),
    "class": re.compile(
        r"footnote(-ref|-backref)?|task|language-[A-Za-z0-9+#_-]{1,30}|card-(note|warning|quote)"
        r"|picture-(small|left|right|wide)"
    ),
    "colspan": re.compile(r"[1-9][0-9]?"),
    # What `articles.cards` puts in this place when it is shown.
    "data-card": re.compile(
        r"story [A-Za-z0-9_-]{1,200}|signup( [A-Za-z0-9_-]{1,200})?|"
        r"embed https://[A-Za-z0-9.-]{1,100}(?:[/?#][A-Za-z0-9:/?=&._%~+#,!@-]{0,500})?"
    ),
    "datetime": re.compile(r"[0-9TZ:+. -]{4,40}"),
    "decoding": re.compile(r"async|sync|auto"),
    "dir": re.compile(r"ltr|rtl|auto"),
    "height": re.compile(r"[1-9][0-9]{0,4}"),
    "lang": re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"),
    "loading": re.compile(r"lazy|eager"),
    "rowspan": re.compile(r"[1-9][0-9]?"),
    "scope": re.compile(r"row|col|rowgroup|colgroup"),
    "sizes": re.compile(r"[A-Za-z0-9 (),.:%-]{1,300}"),
    "start": re.compile(r"[0-9]{1,6}"),
    "type": re.compile(r"image/(avif|webp)"),
    "width": re.compile(r"[1-9][0-9]{0,4}"),
}
FREE_TEXT = frozenset({"alt", "title"})

NOTE_ID = re.compile(r"(#?)(fn(?:ref\d*)?-.{1,200})", re.DOTALL)
NOT_IN_AN_ID = re.compile(r"[^\w-]+")
NOTE_PREFIX = "note-"  # no footnote can take the id of a form or a script's anchor on the page around it
IMG = re.compile(r'<img((?: [a-z-]+="[^"]*")*)>')  # as nh3 writes it: quotes and brackets in a value are escaped
# HTML has this attribute no more; pages and mails have a rule for the class.
ALIGNED = re.compile(r'<(t[dh])((?: [a-z-]+="[^"]*")*?) align="(left|right|center)"')
EMPTY_PARAGRAPH = re.compile(r"<p>\s*</p>\n?")

MAX_URL = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where the HTML will be shown: `site_url` without a slash at its end, `media_url` with one."""

    site_url: str
    media_url: str


def clean(html: str, *, profile: str, place: Place) -> str:
    """Return only what the profile allows; links lead to http, https, mailto or this site.

    In a letter, links to this site are absolute. Pictures stay only in articles
    and only from our own media. Ids of footnotes and headings are kept, with a prefix.
    """
    cleaned = nh3.clean(
        html,
        tags=set(TAGS[profile]),
        clean_content_tags=set(DROPPED_WITH_CONTENT),
        attributes=ATTRIBUTES,
        attribute_filter=attribute_filter(profile, place),
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener",
        strip_comments=True,
    )
    pictured = IMG.sub(lambda picture: picture[0] if ' src="' in picture[1] else "", cleaned)
    aligned = ALIGNED.sub(r'<\1\2 class="align-\3"', pictured)
    # An author's "&#11;" is a character by now.
    return characters.text(EMPTY_PARAGRAPH.sub("", aligned)).strip()


def safe_link(value: str, *, base: str = "") -> str | None:
    """The link, if a reader may follow it; relative ones are joined to `base` when it is given.

    None for other schemes, `//host` and `\\\\host`, names and passwords before
    the host, and characters that browsers drop or people cannot see.
    """
    link = value.strip().replace(" ", "%20")
    if len(link) > MAX_URL or link.startswith("//") or "\\" in link or any(_unseen(letter) for letter in link):
        return None
    try:
        parts = urlsplit(link)
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme in {"http", "https"}:
        return link if parts.hostname and "@" not in parts.netloc else None
    if parts.scheme == "mailto":
        return None if parts.netloc or re.search(r"%0[ad]", link, re.IGNORECASE) else link
    if parts.scheme or parts.netloc:
        return None
    return urljoin(base, link) if base else link


def own_picture(value: str, *, place: Place) -> str | None:
    """The address of a picture, if it is one of our own media files."""
    src = value.strip()
    prefixes = [place.media_url]
    if place.media_url.startswith("/"):
        prefixes.append(place.site_url + place.media_url)
    for prefix in prefixes:
        if src.startswith(prefix) and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_./-]*", path := src[len(prefix) :]):
            return None if ".." in path or "//" in path else src
    return None


def _own_pictures(value: str, *, place: Place) -> str | None:
    """A srcset of which every candidate is ours."""
    candidates = [candidate.split() for candidate in value.split(",")]
    if all(
        1 <= len(candidate) <= 2
        and own_picture(candidate[0], place=place)
        and re.fullmatch(r"[0-9.]{1,6}[wx]", candidate[1] if len(candidate) == 2 else "1x")
        for candidate in candidates
    ):
        return ", ".join(" ".join(candidate) for candidate in candidates)
    return None


def _note_id(value: str) -> str | None:
    """A footnote's id, or the link to it, with our prefix; None for every other id."""
    if not (match := NOTE_ID.fullmatch(value)):
        return None
    return f"{match[1]}{NOTE_PREFIX}{NOT_IN_AN_ID.sub('_', match[2])}"


def attribute_filter(profile: str, place: Place) -> Callable[[str, str, str], str | None]:
    """What stays of an attribute that is allowed at all: `keep(tag, name, value)` is its new value, or None."""
    base = f"{place.site_url}/" if profile == "letter" else ""

    def keep(tag: str, name: str, value: str) -> str | None:
        if name == "href":
            return _note_id(value) if NOTE_ID.fullmatch(value) else safe_link(value, base=base)
        if name == "src":
            return own_picture(value, place=place)
        if name == "srcset":
            return _own_pictures(value, place=place)
        if name == "id" and tag in anchors.HEADINGS:
            return None if profile == "letter" else anchors.identifier(value)
        if name == "id":
            return _note_id(value)
        if name in FREE_TEXT or name == "rel":  # nh3 asks about the rel that it adds itself, too
            return value
        pattern = VALUES.get(name)
        return value if pattern and pattern.fullmatch(value) else None

    return keep


def _unseen(letter: str) -> bool:
    return letter <= "\x20" or unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
