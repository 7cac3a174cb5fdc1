"""What the audit log records: one code per act, with the words in which the log shows it."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AuditAction(TextChoices):
    """An act of a member of staff, of a command or of the clock. A published code never changes."""

    # Stories
    STORY_SUBMITTED = "story_submitted", _("Submitted a story for review")
    STORY_ASSIGNED = "story_assigned", _("Assigned a story to somebody")
    STORY_COMMENTED = "story_commented", _("Commented on a story")
    STORY_COMMENT_RESOLVED = "story_comment_resolved", _("Resolved a comment on a story")
    STORY_COMMENT_REOPENED = "story_comment_reopened", _("Opened a comment on a story again")
    STORY_WARNING_ACKNOWLEDGED = "story_warning_acknowledged", _("Acknowledged a warning about a story")
    STORY_PLANNED = "story_planned", _("Planned a story for a day")
    STORY_RETURNED = "story_returned", _("Returned a story to draft")
    STORY_APPROVED = "story_approved", _("Approved a story")
    STORY_SCHEDULED = "story_scheduled", _("Scheduled a story")
    STORY_PUBLISHED = "story_published", _("Published a story")
    STORY_WITHDRAWN = "story_withdrawn", _("Withdrew a story")
    STORY_CORRECTED = "story_corrected", _("Corrected a story")
    CORRECTION_MENDED = "correction_mended", _("Mended a correction of a story")
    STORY_REWRITTEN = "story_rewritten", _("Changed the words of a published story")
    STORY_RESTORED = "story_restored", _("Restored a version of a story")
    STORY_TRANSLATED = "story_translated", _("Began the translation of a story")
    TRANSLATION_CONFIRMED = "translation_confirmed", _("Said that a translation is up to date")
    STORY_DELETED = "story_deleted", _("Deleted a draft")
    PICTURE_REPLACED = "picture_replaced", _("Replaced a picture")
    # Issues
    ISSUE_APPROVED = "issue_approved", _("Approved an issue")
    ISSUE_MOVED = "issue_moved", _("Moved an issue to another hour")
    ISSUE_APPROVAL_ASKED = "issue_approval_asked", _("Asked for the approval of an issue")
    ISSUE_REOPENED = "issue_reopened", _("Took an approval back")
    ISSUE_PAUSED = "issue_paused", _("Paused an issue")
    ISSUE_RESUMED = "issue_resumed", _("Resumed an issue")
    ISSUE_CANCELLED = "issue_cancelled", _("Cancelled an issue")
    ISSUE_REST_SENT = "issue_rest_sent", _("Sent the rest of a cancelled issue")
    ISSUE_CORRECTED = "issue_corrected", _("Wrote a correction of an issue")
    SEGMENT_LETTER_WRITTEN = "segment_letter_written", _("Wrote a letter to a segment of readers")
    COPIES_EXPORTED = "copies_exported", _("Exported the copies of an issue")
    FIGURES_EXPORTED = "figures_exported", _("Exported figures")
    PROOF_SENT = "proof_sent", _("Sent a proof")
    UNCERTAIN_ACCEPTED = "uncertain_accepted", _("Counted uncertain copies as accepted")
    UNCERTAIN_RESENT = "uncertain_resent", _("Sent uncertain copies again")
    FAILED_RESENT = "failed_resent", _("Sent failed copies again")
    READER_LETTER_PUBLISHED = "reader_letter_published", _("Published a letter to the editor")
    READER_LETTER_WITHDRAWN = "reader_letter_withdrawn", _("Withdrew a letter to the editor")
    # Readers
    REPLY_ASSIGNED = "reply_assigned", _("Gave a reply to a story")
    REPLY_SETTLED = "reply_settled", _("Settled a reply")
    READER_UNSUBSCRIBED = "reader_unsubscribed", _("Unsubscribed a reader by hand")
    READER_ERASED = "reader_erased", _("Erased a reader")
    READER_EXPORTED = "reader_exported", _("Downloaded the data of a reader")
    READERS_IMPORTED = "readers_imported", _("Imported readers")
    READERS_EXPORTED = "readers_exported", _("Exported readers")
    PERMISSION_RELEASED = "permission_released", _("Released permission letters")
    READERS_MOVED = "readers_moved", _("Moved readers to a lower cadence")
    ADDRESS_SUPPRESSED = "address_suppressed", _("Suppressed an address")
    WELCOME_LETTER_SAVED = "welcome_letter_saved", _("Saved a welcome letter")
    SEGMENT_SAVED = "segment_saved", _("Saved a segment of readers")
    SEGMENT_DELETED = "segment_deleted", _("Deleted a segment of readers")
    SUPPRESSION_LIFTED = "suppression_lifted", _("Lifted a suppression")
    # Newsletters, texts, the publication
    NEWSLETTER_CHANGED = "newsletter_changed", _("Changed a newsletter")
    SENDER_CHANGED = "sender_changed", _("Changed a sender")
    LEGAL_TEXT_PUBLISHED = "legal_text_published", _("Published a legal text")
    TEXT_DEMANDED = "text_demanded", _("Demanded a version of a legal text")
    READERS_ASKED = "readers_asked", _("Asked readers to agree to a legal text")
    DEMAND_WITHDRAWN = "demand_withdrawn", _("Withdrew the demand of a legal text")
    PUBLICATION_CHANGED = "publication_changed", _("Changed the publication")
    FRONT_PAGE_ARRANGED = "front_page_arranged", _("Arranged the front page")
    # People
    PERSON_INVITED = "person_invited", _("Invited a person")
    INVITATION_WITHDRAWN = "invitation_withdrawn", _("Withdrew an invitation")
    PERSON_JOINED = "person_joined", _("Joined the team")
    PERSON_DEACTIVATED = "person_deactivated", _("Closed an account")
    PERSON_REACTIVATED = "person_reactivated", _("Opened an account again")
    ROLE_CHANGED = "role_changed", _("Changed a role")
    RIGHTS_CHANGED = "rights_changed", _("Changed the rights to sections or newsletters")
    NAME_CHANGED = "name_changed", _("Changed the own name")
    SIGNED_IN = "signed_in", _("Signed in")
    SESSION_ENDED = "session_ended", _("Ended a session")
    PASSWORD_CHANGED = "password_changed", _("Changed a password")
    SECOND_FACTOR_ADDED = "second_factor_added", _("Added a second factor")
    SECOND_FACTOR_REMOVED = "second_factor_removed", _("Removed a second factor")
    AUDIT_LOG_EXPORTED = "audit_log_exported", _("Exported the audit log")


def choices() -> list[tuple[str, str]]:
    """Codes with their words; a function, so that a new code needs no migration."""
    return [(action.value, str(action.label)) for action in AuditAction]
