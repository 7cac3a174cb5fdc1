"""Registers the staff app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StaffConfig(AppConfig):
    """The people of the desk: who they are, what they may do, and the record of what they did."""

    name = "staff"
    verbose_name = _("Team")
