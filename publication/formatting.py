"""Numbers and durations in sentences for people, in the active language."""

from __future__ import annotations

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE, DAY = 60, 1_440


def number(value: int) -> str:
    """`1,002`, with the language's own separator."""
    return str(formats.number_format(value, force_grouping=True))


def copies(count: int) -> str:
    """`1 copy`, `1,002 copies`."""
    return ngettext("%(count)s copy", "%(count)s copies", count) % {"count": number(count)}


def duration(*, seconds: float) -> str:
    """`50 s`, `12 min`, `3 h 20 min`, `2 days`."""
    minutes = round(seconds / 60)
    if seconds < 2 * MINUTE:
        return _("%(seconds)s s") % {"seconds": round(seconds)}
    if minutes < 2 * MINUTE:
        return _("%(minutes)s min") % {"minutes": minutes}
    if minutes < 2 * DAY:
        return _("%(hours)s h %(minutes)s min") % {"hours": minutes // 60, "minutes": minutes % 60}
    days = round(minutes / DAY)
    return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}
