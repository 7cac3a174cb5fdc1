"""Registers the digests app, and says what each group of editors may do with issues."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from publication import groups

READ = [
    "digests.view_issue", "digests.view_issueitem", "digests.view_snapshot",
]  # fmt: skip
EDIT = [
    *READ, "digests.add_issue", "digests.change_issue", "digests.delete_issue", "digests.add_issueitem",
    "digests.change_issueitem", "digests.view_reply", "digests.change_reply",
]  # fmt: skip
PUBLISH = [*EDIT, "digests.send_issue", "digests.view_delivery", "digests.view_deliveryevent"]


class DigestsConfig(AppConfig):
    """Issues: composing, approving and sending them."""

    name = "digests"
    verbose_name = _("Issues")

    def ready(self) -> None:
        """Give the groups their rights after each migration."""
        groups.grant_on_migrate(
            config=self, rights={groups.AUTHOR: READ, groups.EDITOR: EDIT, groups.PUBLISHER: PUBLISH}
        )
