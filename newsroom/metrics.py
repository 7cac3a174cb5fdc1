"""Counts for Prometheus, read from the rows at each scrape."""

from collections.abc import Iterable, Mapping

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from digests.models import Delivery, Issue
from subscribers.models import Letter

# States whose rows a partial index holds, so that counting them never reads the finished millions.
WAITING = ("pending", "claimed", "attempting", "deferred", "uncertain")


def text() -> str:
    """Prometheus' text exposition format 0.0.4."""
    return "".join(
        (
            _gauge("newsroom_issues", "Issues by state.", _by_state(Issue.objects.all())),
            _gauge(
                "newsroom_deliveries",
                "Copies that wait, are under way or need a person, by state.",
                _by_state(Delivery.objects.filter(state__in=WAITING)),
            ),
            _gauge(
                "newsroom_deliveries_active",
                "Copies of the issues that are being sent or paused, by state.",
                _by_state(Delivery.objects.filter(issue__state__in=["sending", "paused"])),
            ),
            _gauge("newsroom_letters", "Letters by state.", _by_state(Letter.objects.all())),
            _line("newsroom_letters_oldest_seconds", "Age of the oldest letter that is due.", _oldest_letter()),
        )
    )


def _by_state(
    rows: "QuerySet[Issue] | QuerySet[Delivery] | QuerySet[Letter]",
) -> Iterable[tuple[Mapping[str, str], float]]:
    counted = rows.order_by().values_list("state").annotate(number=Count("pk"))
    return [({"state": state}, number) for state, number in sorted(counted)]


def _oldest_letter() -> float:
    now = timezone.now()
    due = Letter.objects.filter(state__in=["pending", "attempting"], due_at__lte=now)
    oldest = due.aggregate(oldest=Min("due_at"))["oldest"]
    return (now - oldest).total_seconds() if oldest else 0.0


def _gauge(name: str, meaning: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> str:
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{label}"' for key, label in labels.items())
        lines.append(f"{name}{{{inside}}} {value:g}")
    return "\n".join(lines) + "\n"


def _line(name: str, meaning: str, value: float) -> str:
    return f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{name} {value:g}\n"
