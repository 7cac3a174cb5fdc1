"""Last week's issue of one newsletter, so that the archive and the inbox have something to show."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings

from digests import approval, composing
from digests.sending import tasks
from subscribers import imports
from subscribers.models import Cadence, CadenceOffer, Newsletter

READERS: Final = Path(__file__).resolve().parent / "readers" / "reader.csv"
BASIS: Final = "An invented reader of the demonstration"
AGO: Final = timedelta(days=7)
SUBJECT: Final = "What changed between the Caspian and the Tian Shan"
INTRODUCTION: Final = "Rules in London, a new kind of som in Bishkek, and the miners a year after the halving."


def load(*, offer: CadenceOffer, now: datetime) -> None:
    """Compose and approve the stories released until a week ago; the engine sends them to one invented reader.

    Where mail really leaves there is no such reader, and the issue is only in the archive.
    """
    newsletter, then = offer.newsletter, now - AGO
    if settings.EMAIL_TRANSPORT == "local":
        _import_reader(newsletter, then)
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.WEEKLY, now=then)
    issue.subject, issue.introduction = SUBJECT, INTRODUCTION
    issue.save(update_fields=["subject", "introduction", "updated_at"])
    approval.approve(issue=issue, actor=None, now=then, when=now)
    tasks.hint_wake(issue.pk)


def _import_reader(newsletter: Newsletter, then: datetime) -> None:
    source = imports.open_source(path=READERS)
    imports.run(source=source, plan=imports.plan(newsletter=newsletter, basis=BASIS), actor=None, now=then)
