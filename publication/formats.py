"""How much of its stories a newsletter's mail shows."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Format(models.TextChoices):
    """What a reader gets of each story: the publication has a default, and a reader may choose the other one."""

    FULL = "full", _("Stories in full")
    HEADLINES = "headlines", _("Headlines only")
