"""Registers the staff app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from publication import groups


class StaffConfig(AppConfig):
    """The people of the desk: who they are, what they may do, and the record of what they did."""

    name = "staff"
    verbose_name = _("Team")

    def ready(self) -> None:
        """Let publishers read the audit log; who changes anything in it is nobody."""
        groups.grant_on_migrate(config=self, rights={groups.PUBLISHER: ["staff.view_auditevent"]})
