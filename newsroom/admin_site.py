"""The admin as a whole: its name, its colours and the sections of its navigation (settings.UNFOLD)."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static

from publication import colours
from publication.models import Publication

# Section -> its models with their icons, in the order in which editors need them.
SECTIONS: dict[str, dict[str, str]] = {
    "Stories": {
        "articles.Article": "article",
        "articles.Image": "image",
        "articles.Author": "edit_note",
        "articles.Section": "newspaper",
        "articles.Tag": "sell",
        "articles.Revision": "history",
        "articles.Correction": "rule",
        "articles.SlugRedirect": "alt_route",
    },
    "Newsletters": {
        "digests.Issue": "mark_email_read",
        "subscribers.Newsletter": "mail",
        "digests.Delivery": "outgoing_mail",
        "digests.DeliveryEvent": "quick_phrases",
        "digests.Snapshot": "inventory_2",
    },
    "Readers": {
        "subscribers.Subscriber": "group",
        "subscribers.Subscription": "how_to_reg",
        "subscribers.ConsentEvent": "verified_user",
        "subscribers.ConsentOrigin": "lan",
        "subscribers.Suppression": "block",
        "subscribers.Letter": "drafts",
    },
    "Publication": {
        "publication.Publication": "storefront",
        "subscribers.LegalDocument": "gavel",
        "subscribers.LegalVersion": "history_edu",
        "auth.User": "person",
        "auth.Group": "groups",
    },
}
# How far each step of the admin's scale lies from the publication's accent: to white below 600, to black above.
TINTS = {"50": 0.95, "100": 0.88, "200": 0.75, "300": 0.58, "400": 0.35, "500": 0.15}
SHADES = {"700": 0.15, "800": 0.3, "900": 0.45, "950": 0.65}


def name(_request: HttpRequest) -> str:
    """The title of the browser's tab and of the page's corner."""
    return Publication.objects.current().name


def icon(_request: HttpRequest) -> str:
    """The picture on the browser's tab."""
    return static("img/icon.svg")


def stylesheet(_request: HttpRequest) -> str:
    """The stylesheet that adds to the admin's own."""
    return static("css/admin.css")


def accent(_request: HttpRequest) -> dict[str, str]:
    """The scale of the publication's accent; its middle carries white text."""
    middle = colours.readable(Publication.objects.current().accent_colour, on=colours.WHITE)
    lighter = {step: colours.mix(middle, colours.WHITE, share) for step, share in TINTS.items()}
    darker = {step: colours.mix(middle, colours.BLACK, share) for step, share in SHADES.items()}
    return lighter | {"600": middle} | darker


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The navigation: only what this account may see. A model without a section is in the last one."""
    open_to = {
        model["model"]._meta.label: model  # noqa: SLF001  # Django documents _meta as public
        for app in admin.site.get_app_list(request)
        for model in app["models"]
        if model["admin_url"]
    }
    named = {label for section in SECTIONS.values() for label in section}
    others = {label: "folder" for label in open_to if label not in named}
    groups = [
        {
            "title": title,
            "items": [
                {"title": open_to[label]["name"], "icon": symbol, "link": open_to[label]["admin_url"]}
                for label, symbol in section.items()
                if label in open_to
            ],
        }
        for title, section in (SECTIONS | {"More": others}).items()
    ]
    return [group for group in groups if group["items"]]
