"""The actions on a story in the admin, such as submit, publish and withdraw. publication.row_actions runs them."""

from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from articles import permissions, publishing, review, states
from articles.admin.checked_forms import Publish, Schedule
from articles.admin.forms import Assignee, CorrectionText, Reason, ReturnReason
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
            run=lambda article, actor, data, now: publishing.submit(
                article=article, actor=actor, now=now, assignee=data.get("assignee")
            ),
            form=Assignee,
            fits=_may_edit,
        ),
        Action(
            name="approve",
            label=_("Approve"),
            explanation=_("You have read the story and it may be published. Its author gets a mail."),
            done=_("The story is approved."),
            states=frozenset(states.before(State.APPROVED)),
            run=lambda article, actor, _data, now: publishing.approve(article=article, actor=actor, now=now),
            permission=permissions.EDIT_ANY,
        ),
        Action(
            name="send-back",
            label=_("Send back"),
            explanation=_("The story is its author's draft again. The author gets a mail with your reason."),
            done=_("The story is with its author."),
            states=frozenset({State.IN_REVIEW, State.APPROVED}),
            run=lambda article, actor, data, now: publishing.send_back(
                article=article, reason=data["reason"], actor=actor, now=now
            ),
            form=ReturnReason,
            permission=permissions.EDIT_ANY,
        ),
        Action(
            name="assign",
            label=_("Give to somebody"),
            explanation=_("The story waits on the first page of the person who is to read it, who gets a mail."),
            done=_("The story was given to its reader."),
            states=frozenset({State.IN_REVIEW, State.APPROVED}),
            run=lambda article, actor, data, now: review.assign(
                article=article, assignee=data["assignee"], actor=actor, now=now
            ),
            form=Assignee,
            permission=permissions.EDIT_ANY,
        ),
        Action(
            name="return",
            label=_("Take off the schedule"),
            explanation=_("The story is not published at its hour. It is a draft again."),
            done=_("The story is a draft again."),
            states=frozenset({State.SCHEDULED}),
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
                article=article,
                publish_at=data["publish_at"],
                actor=actor,
                now=now,
                acknowledge=data.get("acknowledge", ()),
            ),
            form=Schedule,
            template="admin/articles/article/publish.html",
            permission=permissions.PUBLISH,
        ),
        Action(
            name="publish",
            label=_("Publish now"),
            explanation=_("Every reader can see the story at once."),
            done=_("The story is published."),
            states=frozenset(publishing.UNPUBLISHED),
            run=lambda article, actor, data, now: publishing.publish(
                article=article, actor=actor, now=now, acknowledge=data.get("acknowledge", ())
            ),
            form=Publish,
            template="admin/articles/article/publish.html",
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
            explanation=_(
                "The story is gone from every page. Its address and the page of corrections give your reason."
                " Sent mails stay."
            ),
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
