"""The form in which somebody is limited to sections and newsletters."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from staff import limits
from staff.models import LimitKind

HELP = {
    LimitKind.SECTION: _("Only stories of these. None chosen: all sections. Own drafts can always be written."),
    LimitKind.NEWSLETTER: _("Only issues and readers of these. None chosen: all newsletters."),
}


class LimitsForm(forms.Form):
    """A list of boxes for each kind, as the person's limits are."""

    def __init__(self, *args: Any, user: User) -> None:
        super().__init__(*args)
        self._user = user
        for kind in LimitKind:
            self.fields[kind.value] = forms.TypedMultipleChoiceField(
                label=kind.label,
                choices=list(limits.names(kind=kind).items()),
                coerce=int,
                required=False,
                initial=sorted(limits.of(user, kind=kind) or ()),
                widget=UnfoldAdminCheckboxSelectMultipleWidget,
                help_text=HELP[kind],
            )

    def save(self, *, actor: User | None, now: datetime) -> None:
        """Change the limits. On failure: limits.NotAllowed."""
        for kind in LimitKind:
            limits.change(user=self._user, kind=kind, chosen=self.cleaned_data[kind.value], actor=actor, now=now)
