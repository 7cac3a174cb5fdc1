"""The states of a story and their transitions, for models, constraints, verbs and buttons."""

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core import transitions


class ArticleState(TextChoices):
    """Of a story."""

    DRAFT = "draft", _("Draft")
    IN_REVIEW = "in_review", _("In review")
    # An editor has read it and nothing keeps it from being published.
    APPROVED = "approved", _("Approved")
    SCHEDULED = "scheduled", _("Scheduled")
    PUBLISHED = "published", _("Published")
    WITHDRAWN = "withdrawn", _("Withdrawn")


_S = ArticleState
MOVES: Final = transitions.table(
    {
        _S.DRAFT: [_S.IN_REVIEW, _S.SCHEDULED, _S.PUBLISHED],
        _S.IN_REVIEW: [_S.DRAFT, _S.APPROVED, _S.SCHEDULED, _S.PUBLISHED],
        _S.APPROVED: [_S.DRAFT, _S.SCHEDULED, _S.PUBLISHED],
        # Scheduling again moves the hour.
        _S.SCHEDULED: [_S.DRAFT, _S.SCHEDULED, _S.PUBLISHED],
        _S.PUBLISHED: [_S.WITHDRAWN],
        _S.WITHDRAWN: [_S.SCHEDULED, _S.PUBLISHED],
    }
)
# The only definition of public: page, section, feed, sitemap, search, digest and engine ask it.
PUBLIC: Final = [_S.PUBLISHED]
# Whose addresses readers know: a withdrawn story answers 410.
ON_RECORD: Final = [_S.PUBLISHED, _S.WITHDRAWN]
# Still before its publication: somebody may be waited for.
AT_WORK: Final = [str(state) for state in (_S.DRAFT, _S.IN_REVIEW, _S.APPROVED, _S.SCHEDULED)]


def before(state: ArticleState) -> list[str]:
    """The states from which this one is reached."""
    return transitions.before(state, MOVES)
