"""schema.org's words for the publication and its pages, as JSON-LD. `docs/decisions/0153` has what each page says."""

import json
from collections.abc import Iterable
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from publication import languages, urls
from publication.models import Publication

# As Django's json_script does it: nothing inside may end the element or begin another.
ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def script(graph: Iterable[dict[str, Any]]) -> SafeString:
    """JSON-LD as an element; no text in it can leave it."""
    text = json.dumps({"@context": "https://schema.org", "@graph": list(graph)}, ensure_ascii=False)
    return format_html(
        '<script type="application/ld+json">{}</script>',
        mark_safe(text.translate(ESCAPES)),  # noqa: S308  # every character that HTML reads is escaped here
    )


def stated(data: dict[str, Any]) -> dict[str, Any]:
    """What is known of `data`: a property without a value says nothing."""
    return {name: value for name, value in data.items() if value not in ("", None, [], {})}


def organization(publication: Publication) -> dict[str, Any]:
    """The publication as a news organisation."""
    logo = {"@type": "ImageObject", "url": urls.absolute(publication.logo.url)} if publication.logo else None
    return stated({
        "@type": "NewsMediaOrganization",
        "@id": urls.absolute("/#organization"),
        "name": publication.name,
        "url": urls.absolute("/"),
        "logo": logo,
        "legalName": publication.owner,
        "slogan": publication.strapline,
        "email": publication.contact_address,
    })  # fmt: skip


def website(publication: Publication) -> dict[str, Any]:
    """The site, with the address of its search."""
    search = urls.absolute(languages.path("search"))
    return {
        "@type": "WebSite",
        "@id": urls.absolute("/#website"),
        "name": publication.name,
        "url": urls.absolute("/"),
        "inLanguage": publication.languages,
        "publisher": {"@id": urls.absolute("/#organization")},
        "potentialAction": {
            "@type": "SearchAction",
            "target": {"@type": "EntryPoint", "urlTemplate": f"{search}?q={{search_term_string}}"},
            "query-input": "required name=search_term_string",
        },
    }


def web_page(
    *,
    kind: str,
    address: str,
    name: str,
    description: str,
    publication: Publication,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A page of schema.org's `kind`; `about` is the person whose profile it is, or the list that it shows."""
    return stated({
        "@type": kind,
        "@id": address,
        "url": address,
        "name": name,
        "description": description,
        "inLanguage": languages.declared(publication=publication),
        "isAccessibleForFree": True,
        "publisher": organization(publication),
        "mainEntity": about,
    })  # fmt: skip


def item_list(listed: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Names and paths in their order."""
    items = _items(listed, address_as="url")
    return {"@type": "ItemList", "numberOfItems": len(items), "itemListElement": items}


def breadcrumbs(steps: Iterable[tuple[str, str]], *, publication: Publication) -> dict[str, Any]:
    """The way from the front page down to a page, its own step the last."""
    way = [(publication.name, languages.path("front")), *steps]
    return {"@type": "BreadcrumbList", "itemListElement": _items(way, address_as="item")}


def _items(listed: Iterable[tuple[str, str]], *, address_as: str) -> list[dict[str, Any]]:
    return [
        {"@type": "ListItem", "position": place, "name": name, address_as: urls.absolute(path)}
        for place, (name, path) in enumerate(listed, start=1)
    ]
