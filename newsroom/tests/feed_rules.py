"""The rules by which the W3C's feed validator refuses or warns, as far as they can be broken by a feed like ours.

The validator itself is not a package. Each rule names the validator's own message, so that it can be looked up there.
"""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from bs4 import BeautifulSoup

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
MEDIA = "{http://search.yahoo.com/mrss/}"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
TAG_URI = re.compile(r"tag:[A-Za-z0-9.-]+,\d{4}(-\d\d){0,2}:\S*")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
# SecurityRisk, and the attributes of SecurityRiskAttr that readers drop.
RISKY = "script iframe object embed meta link style form input base".split()


def broken(root: Element, *, url: str) -> list[str]:
    """The messages for a feed that was fetched from `url`; empty for a valid one."""
    return list(_rss(root, url) if root.tag == "rss" else _atom(root, url))


def _rss(root: Element, url: str) -> Iterator[str]:
    channel = root[0]
    for name in ("title", "link", "description", "language", "lastBuildDate"):
        if not (channel.findtext(name) or "").strip():
            yield f"MissingElement: channel/{name}"
    if not LANGUAGE.fullmatch(channel.findtext("language") or ""):
        yield "InvalidLanguage"
    yield from _self_link(channel, url)
    items = channel.findall("item")
    yield from _unique([item.findtext("guid") or "" for item in items])
    for item in items:
        parsedate_to_datetime(item.findtext("pubDate") or "")
        if len(item.findall("enclosure")) > 1:
            yield "DuplicateEnclosure"
        if item.find("author") is not None:
            yield "InvalidContact: an author of RSS is a mail address"
        guid = item.find("guid")
        if guid is None or (guid.get("isPermaLink") != "false" and not _is_whole(guid.text or "")):
            yield "InvalidHttpGUID"
        yield from _links([item.findtext("link") or ""])
        yield from _enclosures(item.findall("enclosure"), address="url")
        yield from _html(item.findtext(CONTENT) or "", name="content:encoded")
        yield from _html(item.findtext("description") or "", name="description")
        yield from _media(item)


def _atom(root: Element, url: str) -> Iterator[str]:
    for name in ("id", "title", "updated"):
        if not (root.findtext(ATOM + name) or "").strip():
            yield f"MissingElement: feed/{name}"
    yield from _self_link(root, url)
    entries = root.findall(f"{ATOM}entry")
    yield from _unique([entry.findtext(f"{ATOM}id") or "" for entry in entries])
    for entry in entries:
        if not DATE.fullmatch(entry.findtext(f"{ATOM}updated") or ""):
            yield "InvalidRFC3339Date: updated"
        if not DATE.fullmatch(entry.findtext(f"{ATOM}published") or ""):
            yield "InvalidRFC3339Date: published"
        if not entry.findall(f"{ATOM}author") and not root.findall(f"{ATOM}author"):
            yield "MissingElement: author"
        if not TAG_URI.fullmatch(entry.findtext(f"{ATOM}id") or ""):
            yield "InvalidTAG: id"
        links = entry.findall(f"{ATOM}link")
        yield from _links([link.get("href") or "" for link in links])
        if [link.get("rel", "alternate") for link in links].count("alternate") != 1:
            yield "DuplicateAtomLink: alternate"
        yield from _enclosures([link for link in links if link.get("rel") == "enclosure"], address="href")
        yield from _html(entry.findtext(f"{ATOM}content") or "", name="content")
        yield from _media(entry)


def _self_link(channel: Element, url: str) -> Iterator[str]:
    addresses = [link.get("href") for link in channel.findall(f"{ATOM}link") if link.get("rel") == "self"]
    if addresses != [url]:
        yield f"SelfDoesntMatchLocation: {addresses}"


def _unique(identities: list[str]) -> Iterator[str]:
    if len(set(identities)) != len(identities) or not all(identities):
        yield "DuplicateEntries"


def _links(addresses: list[str]) -> Iterator[str]:
    yield from (f"InvalidFullLink: {address}" for address in addresses if not _is_whole(address))


def _enclosures(enclosures: list[Element], *, address: str) -> Iterator[str]:
    for enclosure in enclosures:
        if not _is_whole(enclosure.get(address) or "") or "/" not in (enclosure.get("type") or ""):
            yield "InvalidMIMEType or InvalidFullLink: enclosure"
        if int(enclosure.get("length") or "0") <= 0:
            yield "InvalidNonNegativeInteger: length"


def _html(text: str, *, name: str) -> Iterator[str]:
    page = BeautifulSoup(text, "html5lib")
    for element in page.body.find_all(True) if page.body else []:
        if element.name in RISKY:
            yield f"SecurityRisk: <{element.name}> in {name}"
        for attribute in element.attrs:
            if attribute.startswith("on") or attribute == "style":
                yield f"SecurityRiskAttr: {attribute} in {name}"
        for attribute in ("href", "src"):
            value = str(element.get(attribute, "https://x.test/"))
            if not _is_whole(value) and not value.startswith("mailto:"):
                yield f"ContainsRelRef: {value} in {name}"


def _media(item: Element) -> Iterator[str]:
    for content in item.findall(f"{MEDIA}content"):
        if content.get("medium") not in {"image", "audio", "video", "document", "executable"}:
            yield "InvalidMedia: medium"
        if not _is_whole(content.get("url") or "") or int(content.get("fileSize") or "0") <= 0:
            yield "InvalidMedia: url or fileSize"


def _is_whole(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
