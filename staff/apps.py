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


class StaffConfig(AppConfig):
    """The people of the desk: who they are, what they may do, and the record of what they did."""

    name = "staff"
    verbose_name = _("Team")

    def ready(self) -> None:
        """Let publishers read the audit log, and count attempts where a Redis that is away fails nobody."""
        groups.grant_on_migrate(config=self, rights={groups.PUBLISHER: ["staff.view_auditevent"]})
        for module in COUNTING:
            import_module(module).cache = ConnectionProxy(caches, "attempts")  # type: ignore[attr-defined]  # as all modules
        import_module("staff.keys").follow()
