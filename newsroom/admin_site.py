"""The admin as a whole: its menu, its name and its colours (settings.UNFOLD)."""

from typing import Any, Final

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from newsroom.desk import menu
from newsroom.desk.menu import Entry
from publication import colours
from publication import context as publications
from staff.models import LimitKind

# One line for each task; a screen is added by a line. Needs are permissions; a page is a name of the admin's URLs.
MENU: Final = (
    Entry(_("Today"), "index", icon="today"),
    Entry(_("Stories"), "articles_article_changelist", "articles.view_article", icon="article"),
    Entry(_("Calendar"), "desk:calendar", "articles.view_article", icon="calendar_month", also=("desk:calendar_",)),
    Entry(
        _("Front page"), "desk:front_page", "articles.publish_article", icon="view_quilt",
        about_all=(LimitKind.SECTION,),
    ),
    Entry(_("Pictures"), "articles_image_changelist", "articles.view_image", icon="image"),
    Entry(
        _("Issues"), "digests_issue_changelist", "digests.view_issue", icon="outgoing_mail",
        entries=(
            Entry(_("Drafts"), "digests_issue_changelist", query="state__exact=draft"),
            Entry(_("Scheduled"), "digests_issue_changelist", query="state__exact=scheduled"),
            Entry(_("Sending"), "digests_issue_changelist", query="state__in=preparing,sending,paused"),
            Entry(_("Sent"), "digests_issue_changelist", query="state__in=sent,sent_with_exceptions"),
            Entry(_("Replies"), "desk:replies", "digests.view_reply", also=("desk:reply",)),
        ),
    ),
    Entry(
        _("Newsletters"), "desk:newsletters", "subscribers.view_newsletter", icon="mail",
        also=("desk:newsletter", "subscribers_newsletter_", "subscribers_welcomeletter_", "digests_issue_growth"),
    ),
    Entry(
        _("Readers"), icon="group",
        entries=(
            Entry(_("Find a reader"), "desk:readers", "subscribers.view_subscriber", also=("desk:reader",)),
            Entry(_("Segments"), "desk:segments", "subscribers.view_segment", also=("desk:segment",)),
            Entry(_("Import"), "desk:imports", "subscribers.import_readers", also=("desk:import",)),
            Entry(_("Export"), "desk:export", "subscribers.export_readers"),
            Entry(_("Blocked addresses"), "subscribers_suppression_changelist", "subscribers.view_suppression"),
        ),
    ),
    Entry(
        _("Publication"), icon="storefront",
        entries=(
            Entry(_("Identity"), "publication_publication_changelist", "publication.view_publication"),
            Entry(_("Sections"), "articles_section_changelist", "articles.view_section"),
            Entry(_("Authors"), "articles_author_changelist", "articles.view_author"),
            Entry(_("Tags"), "articles_tag_changelist", "articles.view_tag"),
            Entry(
                _("Legal texts"), "subscribers_legalversion_changelist", "subscribers.view_legalversion",
                also=("subscribers_legaldocument_",),
            ),
            Entry(
                _("Agreements to them"), "desk:agreements", "subscribers.view_legalversion",
                also=("desk:demand", "desk:ask_to_agree"),
            ),
            Entry(_("Redirects"), "articles_slugredirect_changelist", "articles.view_slugredirect"),
        ),
    ),
    Entry(
        _("Team"), icon="badge",
        entries=(
            Entry(_("People"), "staff_person_changelist", "staff.view_person"),
            Entry(_("Invitations"), "staff_invitation_changelist", "staff.view_invitation"),
            Entry(_("Audit log"), "staff_auditevent_changelist", "staff.view_auditevent", about_all=tuple(LimitKind)),
        ),
    ),
    Entry(
        _("System"), icon="database", is_for_administrators=True,
        entries=(
            Entry(_("Health"), "desk:health"),
            Entry(_("Copies"), "digests_delivery_changelist"),
            Entry(_("Reports of mail servers"), "digests_deliveryevent_changelist"),
            Entry(_("Frozen mails"), "digests_snapshot_changelist"),
            Entry(_("Letters"), "subscribers_letter_changelist"),
            Entry(_("Readers"), "subscribers_subscriber_changelist"),
            Entry(_("Subscriptions"), "subscribers_subscription_changelist"),
            Entry(_("Consent record"), "subscribers_consentevent_changelist"),
            Entry(_("Network addresses"), "subscribers_consentorigin_changelist"),
            Entry(_("Versions of stories"), "articles_revision_changelist"),
            Entry(_("Corrections"), "articles_correction_changelist"),
        ),
    ),
)  # fmt: skip
# How far each step of the admin's scale lies from the publication's accent: to white below 600, to black above.
TINTS = {"50": 0.95, "100": 0.88, "200": 0.75, "300": 0.58, "400": 0.35, "500": 0.15}
SHADES = {"700": 0.15, "800": 0.3, "900": 0.45, "950": 0.65}


def name(request: HttpRequest) -> str:
    """The title of the browser's tab and of the page's corner."""
    return publications.of(request).name


def icon(_request: HttpRequest) -> str:
    """The picture on the browser's tab."""
    return static("img/icon.svg")


def stylesheet(_request: HttpRequest) -> str:
    """The stylesheet that adds to the admin's own."""
    return static("css/admin.css")


def accent(request: HttpRequest) -> dict[str, str]:
    """The scale of the publication's accent; its middle carries white text."""
    middle = colours.readable(publications.of(request).accent_colour, on=colours.WHITE)
    lighter = {step: colours.mix(middle, colours.WHITE, share) for step, share in TINTS.items()}
    darker = {step: colours.mix(middle, colours.BLACK, share) for step, share in SHADES.items()}
    return lighter | {"600": middle} | darker


def account_links(_request: HttpRequest) -> list[dict[str, Any]]:
    """What is above "Log out" in the corner of each page."""
    return [{"title": _("My account"), "link": reverse("account_mine")}]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu, as far as this person may use it."""
    # unfold asks each line for its "items"; ours are called entries, and drawn by templates/admin/nav_sidebar.html.
    return [line | {"items": []} for line in menu.build(MENU, request)]
