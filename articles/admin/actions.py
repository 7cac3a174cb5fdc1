"""The actions on a story in the admin, such as submit, publish and withdraw. publication.row_actions runs them."""

from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from articles import permissions, publishing, states
from articles.admin.forms import CorrectionText, Hour, Reason
from articles.models import Article
from publication.row_actions import Action

State = Article.State


REFUSALS = (publishing.PublishingError, publishing.MarkupRefused)


def _may_edit(user: User, article: Article) -> bool:
    return permissions.may_edit(user=user, article=article)


ACTIONS: dict[str, Action[Article]] = {
    action.name: action
    for action in (
        Action(
            name="submit",
            label=_("Submit for review"),
            explanation=_("The editors get the story, and you cannot change it until they return it."),
            done=_("The story is with the editors."),
            states=frozenset(states.before(State.IN_REVIEW)),
            run=lambda article, actor, _data, now: publishing.submit(article=article, actor=actor, now=now),
            fits=_may_edit,
        ),
        Action(
            name="return",
            label=_("Return to draft"),
            explanation=_("The story leaves the review or the clock. Its author can write on."),
            done=_("The story is a draft again."),
            states=frozenset(states.before(State.DRAFT)),
            run=lambda article, actor, _data, now: publishing.return_to_draft(article=article, actor=actor, now=now),
            permission=permissions.EDIT_ANY,
        ),
        Action(
            name="schedule",
            label=_("Schedule"),
            explanation=_("The clock publishes the story at this hour, given in the time zone {zone}."),
            done=_("The story is scheduled."),
            states=frozenset(states.before(State.SCHEDULED)),
            run=lambda article, actor, data, now: publishing.schedule(
                article=article, publish_at=data["publish_at"], actor=actor, now=now
            ),
            form=Hour,
            permission=permissions.PUBLISH,
        ),
        Action(
            name="publish",
            label=_("Publish now"),
            explanation=_("Every reader can see the story at once, and newsletters may pick it up."),
            done=_("The story is published."),
            states=frozenset(publishing.UNPUBLISHED),
            run=lambda article, actor, _data, now: publishing.publish(article=article, actor=actor, now=now),
            permission=permissions.PUBLISH,
        ),
        Action(
            name="correct",
            label=_("Add a correction"),
            explanation=_("Change the text itself first. This note tells readers what was corrected, and when."),
            done=_("The correction is shown under the story."),
            states=frozenset({State.PUBLISHED}),
            run=lambda article, actor, data, now: publishing.correct(
                article=article, text=data["text"], actor=actor, now=now
            ),
            form=CorrectionText,
            permission=permissions.EDIT_ANY,
        ),
        Action(
            name="withdraw",
            label=_("Withdraw"),
            explanation=_("The story is gone from every page. Its address gives your reason. Sent mails stay."),
            done=_("The story is withdrawn."),
            states=frozenset(states.before(State.WITHDRAWN)),
            run=lambda article, actor, data, now: publishing.withdraw(
                article=article, reason=data["reason"], actor=actor, now=now
            ),
            form=Reason,
            permission=permissions.PUBLISH,
        ),
    )
}
