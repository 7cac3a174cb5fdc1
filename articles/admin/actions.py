"""The verbs of a story as pages of the admin: a GET asks, a POST acts."""

import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone

from articles import publishing, rights
from articles.admin.forms import Confirm, CorrectionText, Hour, Reason
from articles.models import Article
from publication import database_clock
from publication.models import Publication

State = Article.State


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that can be done to a story, to whom and when it is offered, and how it is said."""

    name: str
    label: str
    explanation: str
    done: str
    states: frozenset[Article.State]
    run: Callable[[Article, User, dict[str, Any], datetime], object]
    form: type[forms.Form] = Confirm
    permission: str = ""

    def offered(self, *, user: User, article: Article) -> bool:
        """Whether the verb fits the story's state and the user's rights. The verb itself asks again."""
        if article.state not in self.states:
            return False
        if self.permission:
            return user.has_perm(self.permission)
        return rights.may_edit(user=user, article=article)


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            name="submit",
            label="Submit for review",
            explanation="The editors get the story, and you cannot change it until they return it.",
            done="The story is with the editors.",
            states=frozenset({State.DRAFT}),
            run=lambda article, actor, _data, now: publishing.submit(article=article, actor=actor, now=now),
        ),
        Verb(
            name="return",
            label="Return to draft",
            explanation="The story leaves the review or the clock. Its author can write on.",
            done="The story is a draft again.",
            states=frozenset({State.IN_REVIEW, State.SCHEDULED}),
            run=lambda article, actor, _data, now: publishing.return_to_draft(article=article, actor=actor, now=now),
            permission=rights.EDIT_ANY,
        ),
        Verb(
            name="schedule",
            label="Schedule",
            explanation="The clock publishes the story at this hour, given in the time zone {zone}.",
            done="The story is scheduled.",
            states=frozenset({State.DRAFT, State.IN_REVIEW, State.SCHEDULED, State.WITHDRAWN}),
            run=lambda article, actor, data, now: publishing.schedule(
                article=article, publish_at=data["publish_at"], actor=actor, now=now
            ),
            form=Hour,
            permission=rights.PUBLISH,
        ),
        Verb(
            name="publish",
            label="Publish now",
            explanation="Every reader can see the story at once, and newsletters may pick it up.",
            done="The story is published.",
            states=frozenset(publishing.UNPUBLISHED),
            run=lambda article, actor, _data, now: publishing.publish(article=article, actor=actor, now=now),
            permission=rights.PUBLISH,
        ),
        Verb(
            name="correct",
            label="Add a correction",
            explanation="Change the text itself first. This note tells readers what was corrected, and when.",
            done="The correction stands under the story.",
            states=frozenset({State.PUBLISHED}),
            run=lambda article, actor, data, now: publishing.correct(
                article=article, text=data["text"], actor=actor, now=now
            ),
            form=CorrectionText,
            permission=rights.EDIT_ANY,
        ),
        Verb(
            name="withdraw",
            label="Withdraw",
            explanation="The story is gone from every page. Its address gives your reason. Sent mails stay.",
            done="The story is withdrawn.",
            states=frozenset({State.PUBLISHED}),
            run=lambda article, actor, data, now: publishing.withdraw(
                article=article, reason=data["reason"], actor=actor, now=now
            ),
            form=Reason,
            permission=rights.PUBLISH,
        ),
    )
}


def act(*, verb: Verb, article: Article, actor: User, data: Any) -> forms.Form:
    """Fill in the verb's form and, when it is right, run the verb; what was wrong is in the form's errors.

    Hours are read in the publication's time zone, the one that readers see.
    """
    with timezone.override(zoneinfo.ZoneInfo(Publication.objects.current().time_zone)):
        form = verb.form(data)
        if form.is_valid():
            try:
                verb.run(article, actor, form.cleaned_data, database_clock.now())
            except (publishing.PublishingError, publishing.MarkupRefused) as error:
                form.add_error(None, str(error))
    return form


def explanation(verb: Verb) -> str:
    """What the verb will do, in a sentence or two."""
    return verb.explanation.format(zone=Publication.objects.current().time_zone)
