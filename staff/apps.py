"""Registers the staff app, and which cache counts attempts to sign in."""

from allauth.core.internal import ratelimit
from django.apps import AppConfig
from django.core.cache import caches
from django.utils.connection import ConnectionProxy
from django.utils.translation import gettext_lazy as _

from publication import groups


class StaffConfig(AppConfig):
    """The people of the desk: who they are, what they may do, and the record of what they did."""

    name = "staff"
    verbose_name = _("Team")

    def ready(self) -> None:
        """Let publishers read the audit log, and count attempts where a Redis that is away fails nobody."""
        groups.grant_on_migrate(config=self, rights={groups.PUBLISHER: ["staff.view_auditevent"]})
        # django-allauth counts in the default cache, and has no setting for another one.
        ratelimit.cache = ConnectionProxy(caches, "attempts")
