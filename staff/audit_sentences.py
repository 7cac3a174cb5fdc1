"""An entry of the audit log as one sentence: who did what to which object."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from staff.audit_actions import AuditAction as Act
from staff.models import AuditEvent

Words = dict[str, str | Promise]

SENTENCES: Final[Words] = {
    Act.STORY_SUBMITTED: gettext_lazy("%(who)s submitted the story “%(what)s” for review."),
    Act.STORY_ASSIGNED: gettext_lazy("%(who)s gave the story “%(what)s” to somebody to read."),
    Act.STORY_COMMENTED: gettext_lazy("%(who)s commented on the story “%(what)s”."),
    Act.STORY_COMMENT_RESOLVED: gettext_lazy("%(who)s resolved a comment on the story “%(what)s”."),
    Act.STORY_COMMENT_REOPENED: gettext_lazy("%(who)s opened a comment on the story “%(what)s” again."),
    Act.STORY_WARNING_ACKNOWLEDGED: gettext_lazy("%(who)s acknowledged a warning about the story “%(what)s”."),
    Act.STORY_PLANNED: gettext_lazy("%(who)s planned the story “%(what)s” for a day."),
    Act.STORY_RETURNED: gettext_lazy("%(who)s returned the story “%(what)s” to draft."),
    Act.STORY_APPROVED: gettext_lazy("%(who)s approved the story “%(what)s”."),
    Act.STORY_SCHEDULED: gettext_lazy("%(who)s scheduled the story “%(what)s”."),
    Act.STORY_PUBLISHED: gettext_lazy("%(who)s published the story “%(what)s”."),
    Act.STORY_WITHDRAWN: gettext_lazy("%(who)s withdrew the story “%(what)s”."),
    Act.STORY_CORRECTED: gettext_lazy("%(who)s added a correction to the story “%(what)s”."),
    Act.CORRECTION_MENDED: gettext_lazy("%(who)s mended a correction of the story “%(what)s”."),
    Act.STORY_REWRITTEN: gettext_lazy("%(who)s changed the published story “%(what)s”."),
    Act.STORY_RESTORED: gettext_lazy("%(who)s restored a former version of the story “%(what)s”."),
    Act.STORY_TRANSLATED: gettext_lazy("%(who)s began the translation “%(what)s” of a story."),
    Act.TRANSLATION_CONFIRMED: gettext_lazy("%(who)s said that the translation “%(what)s” is up to date."),
    Act.STORY_DELETED: gettext_lazy("%(who)s deleted the draft “%(what)s”."),
    Act.PICTURE_REPLACED: gettext_lazy("%(who)s replaced the picture “%(what)s”."),
    Act.ISSUE_MOVED: gettext_lazy("%(who)s moved the issue “%(what)s” to another hour."),
    Act.ISSUE_APPROVED: gettext_lazy("%(who)s approved the issue “%(what)s”."),
    Act.ISSUE_APPROVAL_ASKED: gettext_lazy("%(who)s asked for the approval of the issue “%(what)s”."),
    Act.ISSUE_REOPENED: gettext_lazy("%(who)s took back the approval of the issue “%(what)s”."),
    Act.ISSUE_PAUSED: gettext_lazy("%(who)s paused the issue “%(what)s”."),
    Act.ISSUE_RESUMED: gettext_lazy("%(who)s resumed the issue “%(what)s”."),
    Act.ISSUE_CANCELLED: gettext_lazy("%(who)s cancelled the issue “%(what)s”."),
    Act.ISSUE_REST_SENT: gettext_lazy("%(who)s sent the rest of the issue “%(what)s”."),
    Act.ISSUE_CORRECTED: gettext_lazy("%(who)s wrote a correction of the issue “%(what)s”."),
    Act.SEGMENT_LETTER_WRITTEN: gettext_lazy("%(who)s wrote the letter “%(what)s” to a segment of readers."),
    Act.COPIES_EXPORTED: gettext_lazy("%(who)s exported the copies of the issue “%(what)s”."),
    Act.FIGURES_EXPORTED: gettext_lazy("%(who)s exported the figures of “%(what)s”."),
    Act.PROOF_SENT: gettext_lazy("%(who)s sent a proof of the issue “%(what)s”."),
    Act.UNCERTAIN_ACCEPTED: gettext_lazy("%(who)s counted uncertain copies of “%(what)s” as accepted."),
    Act.UNCERTAIN_RESENT: gettext_lazy("%(who)s sent uncertain copies of “%(what)s” again."),
    Act.FAILED_RESENT: gettext_lazy("%(who)s sent failed copies of “%(what)s” again."),
    Act.READER_LETTER_PUBLISHED: gettext_lazy("%(who)s published a letter to the editor about “%(what)s”."),
    Act.READER_LETTER_WITHDRAWN: gettext_lazy("%(who)s withdrew a letter to the editor about “%(what)s”."),
    Act.REPLY_ASSIGNED: gettext_lazy("%(who)s gave %(what)s to a story."),
    Act.REPLY_SETTLED: gettext_lazy("%(who)s settled %(what)s."),
    Act.READER_UNSUBSCRIBED: gettext_lazy("%(who)s unsubscribed %(what)s."),
    Act.READER_ERASED: gettext_lazy("%(who)s erased %(what)s."),
    Act.READER_EXPORTED: gettext_lazy("%(who)s downloaded the data of %(what)s."),
    Act.READERS_IMPORTED: gettext_lazy("%(who)s imported readers into “%(what)s”."),
    Act.READERS_EXPORTED: gettext_lazy("%(who)s exported readers."),
    Act.PERMISSION_RELEASED: gettext_lazy("%(who)s released permission letters of “%(what)s”."),
    Act.READERS_MOVED: gettext_lazy("%(who)s moved readers of “%(what)s” to a lower cadence."),
    Act.ADDRESS_SUPPRESSED: gettext_lazy("%(who)s blocked an address (%(what)s)."),
    Act.WELCOME_LETTER_SAVED: gettext_lazy("%(who)s saved the welcome letter “%(what)s”."),
    Act.SEGMENT_SAVED: gettext_lazy("%(who)s saved the segment “%(what)s”."),
    Act.SEGMENT_DELETED: gettext_lazy("%(who)s deleted the segment “%(what)s”."),
    Act.SUPPRESSION_LIFTED: gettext_lazy("%(who)s allowed mail again to a blocked address (%(what)s)."),
    Act.NEWSLETTER_CHANGED: gettext_lazy("%(who)s changed the newsletter “%(what)s”."),
    Act.SENDER_CHANGED: gettext_lazy("%(who)s changed the sender of “%(what)s”."),
    Act.LEGAL_TEXT_PUBLISHED: gettext_lazy("%(who)s published “%(what)s”."),
    Act.TEXT_DEMANDED: gettext_lazy("%(who)s changed which legal text “%(what)s” demands of its readers."),
    Act.DEMAND_WITHDRAWN: gettext_lazy("%(who)s withdrew what “%(what)s” demands of its readers."),
    Act.READERS_ASKED: gettext_lazy("%(who)s asked readers of “%(what)s” to agree to a legal text."),
    Act.PUBLICATION_CHANGED: gettext_lazy("%(who)s changed the publication “%(what)s”."),
    Act.FRONT_PAGE_ARRANGED: gettext_lazy("%(who)s arranged the front page."),
    Act.PERSON_INVITED: gettext_lazy("%(who)s invited %(what)s."),
    Act.INVITATION_WITHDRAWN: gettext_lazy("%(who)s withdrew the invitation of %(what)s."),
    Act.PERSON_JOINED: gettext_lazy("%(who)s joined the team."),
    Act.PERSON_DEACTIVATED: gettext_lazy("%(who)s closed the account of %(what)s."),
    Act.PERSON_REACTIVATED: gettext_lazy("%(who)s opened the account of %(what)s again."),
    Act.ROLE_CHANGED: gettext_lazy("%(who)s changed the role of %(what)s."),
    Act.RIGHTS_CHANGED: gettext_lazy("%(who)s changed the rights of %(what)s."),
    Act.NAME_CHANGED: gettext_lazy("%(who)s changed the own name."),
    Act.SIGNED_IN: gettext_lazy("%(who)s signed in."),
    Act.SESSION_ENDED: gettext_lazy("%(who)s ended a session of %(what)s."),
    Act.PASSWORD_CHANGED: gettext_lazy("%(who)s changed the password of %(what)s."),
    Act.SECOND_FACTOR_ADDED: gettext_lazy("%(who)s added a second factor for %(what)s."),
    Act.SECOND_FACTOR_REMOVED: gettext_lazy("%(who)s removed a second factor of %(what)s."),
    Act.AUDIT_LOG_EXPORTED: gettext_lazy("%(who)s exported the audit log."),
}
# What the log adds to a sentence; keys of `detail` that are not here are shown by their name.
DETAILS: Final[Words] = {
    "accepted": gettext_lazy("Accepted warnings"),
    "comment": gettext_lazy("Comment"),
    "copies": gettext_lazy("Copies"),
    "day": gettext_lazy("Day"),
    "filters": gettext_lazy("Filters"),
    "letter": gettext_lazy("Letter"),
    "state": gettext_lazy("State"),
    "wrong": gettext_lazy("What was wrong"),
    "assignee": gettext_lazy("To be read by"),
    "acts": gettext_lazy("Acts of consent"),
    "basis": gettext_lazy("Basis"),
    "cadence": gettext_lazy("Cadence"),
    "count": gettext_lazy("Number"),
    "fields": gettext_lazy("Fields"),
    "finished": gettext_lazy("Finished"),
    "imported": gettext_lazy("Imported"),
    "newsletter": gettext_lazy("Newsletter"),
    "note": gettext_lazy("Note"),
    "per_hour": gettext_lazy("An hour"),
    "publish_at": gettext_lazy("For"),
    "reason": gettext_lazy("Reason"),
    "lead": gettext_lazy("Leads"),
    "segment": gettext_lazy("Segment"),
    "conditions": gettext_lazy("Conditions"),
    "story": gettext_lazy("Story"),
    "second": gettext_lazy("Second tier"),
    "rows": gettext_lazy("Rows of sections"),
    "role": gettext_lazy("Role"),
    "kind": gettext_lazy("Kind"),
    "said_no": gettext_lazy("Said no"),
    "scheduled_for": gettext_lazy("For"),
    "sha256": gettext_lazy("Hash"),
    "snapshot": gettext_lazy("Hash"),
    "source": gettext_lazy("By way of"),
    "text": gettext_lazy("Text"),
    "to": gettext_lazy("To"),
    "version": gettext_lazy("Version"),
}
# Field -> its value before and after (`staff.changes`).
CHANGED: Final = "changed"
HASHES: Final = {"sha256", "snapshot"}


def who(event: AuditEvent) -> str:
    """The name of the person who acted; an act without a person is the clock's or a command's."""
    return event.actor_name or _("The clock or a command")


def sentence(event: AuditEvent) -> str:
    """Who did what to which object; a code of a later version shows its words alone."""
    what = event.object_name or _("nobody who is on record")
    template = SENTENCES.get(event.action)
    if template is None:
        return f"{who(event)}: {event.get_action_display()} {event.object_name}".strip()
    return str(template) % {"who": who(event), "what": what}


def details(event: AuditEvent) -> list[str]:
    """What else is on record of the act, one phrase each: "Reason: a typo", "sender_name: “A” → “B”"."""
    return [phrase for name, value in event.detail.items() for phrase in _phrases(name, value)]


def _phrases(name: str, value: Any) -> Iterator[str]:
    if name == CHANGED:
        for field, (before, after) in value.items():
            yield f"{field}: “{_shown(before)}” → “{_shown(after)}”"
    elif isinstance(value, dict):
        for part, one in value.items():
            yield f"{part}: {_shown(one)}"
    elif value not in ("", None, []):  # a list has no hash, which a set would need
        yield f"{DETAILS.get(name, name)}: {_shown(value)[:12] if name in HASHES else _shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str) and (moment := _moment(value)):
        return date_format(localtime(moment), "DATETIME_FORMAT")
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value)
    return "" if value is None else str(value)


def _moment(text: str) -> datetime | None:
    """The instant that a text is, if it is one as JSON has them."""
    try:
        return parse_datetime(text) if len(text) > len("2026-11-28T07:00") and text[10:11] == "T" else None
    except ValueError:
        return None
