"""Registers the staff app, and which cache counts attempts to sign in."""

from importlib import import_module
from typing import Final

from django.apps import AppConfig
from django.core.cache import caches
from django.utils.connection import ConnectionProxy
from django.utils.translation import gettext_lazy as _

from publication import groups

# These count in the default cache, which fails while Redis is away, and have no setting for another one.
COUNTING: Final = ("allauth.core.internal.ratelimit", "allauth.mfa.totp.internal.auth")


TEAM: Final = ("staff.view_auditevent", "staff.view_person", "staff.view_invitation", "staff.manage_team")


class StaffConfig(AppConfig):
    """The people of the desk: who they are, what they may do, and the record of what they did."""

    name = "staff"
    verbose_name = _("Team")

    def ready(self) -> None:
        """Say who sees to the team, and where attempts to sign in are counted."""
        groups.grant_on_migrate(config=self, rights=dict.fromkeys((groups.PUBLISHER, groups.ADMINISTRATOR), TEAM))
        for module in COUNTING:
            import_module(module).cache = ConnectionProxy(caches, "attempts")  # type: ignore[attr-defined]  # as all modules
        import_module("staff.keys").follow()
