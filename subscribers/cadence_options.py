"""The cadence options of a sign-up form: the open newsletters and the cadences that each offers."""

from dataclasses import dataclass

from subscribers import cadences
from subscribers.models import Cadence, CadenceOffer, Newsletter


@dataclass(frozen=True, slots=True)
class Offered:
    """A newsletter that is open for sign-up, and its cadences as (value, words)."""

    newsletter: Newsletter
    cadences: tuple[tuple[str, str], ...]

    @property
    def default(self) -> str:
        """The cadence that is chosen when the reader says nothing."""
        values = [value for value, _ in self.cadences]
        return next(
            (wish for wish in (self.newsletter.default_cadence, cadences.PREFERRED) if wish in values), values[0]
        )


def offered() -> list[Offered]:
    """All newsletters that readers can sign up for, in their order on the form; one query."""
    rows = CadenceOffer.objects.filter(is_active=True, newsletter__is_open=True).select_related("newsletter")
    values: dict[Newsletter, list[str]] = {}
    for row in rows.order_by("newsletter__position", "newsletter__name"):
        values.setdefault(row.newsletter, []).append(row.cadence)
    return [Offered(newsletter, in_words(offered)) for newsletter, offered in values.items()]


def cadences_of(newsletter: Newsletter) -> tuple[tuple[str, str], ...]:
    """The active cadences of one newsletter, whether it is open for new readers or not."""
    return in_words(list(newsletter.offers.filter(is_active=True).values_list("cadence", flat=True)))


def default_offer(newsletter: Newsletter) -> CadenceOffer | None:
    """What new readers get who choose nothing, with its hour and weekday; None where nothing is offered."""
    active = {row.cadence: row for row in newsletter.offers.filter(is_active=True)}
    return active[Offered(newsletter, in_words(list(active))).default] if active else None


def on_some_days(newsletter: Newsletter, cadence: str) -> bool:
    """Whether readers of this cadence may choose the weekdays on which it comes."""
    return (
        cadence == Cadence.DAILY and newsletter.offers.filter(cadence=cadence, is_active=True, any_days=True).exists()
    )


def in_words(values: list[str]) -> tuple[tuple[str, str], ...]:
    """Cadences as (value, words), soonest first."""
    ordered = sorted(values, key=lambda value: cadences.ORDER[Cadence(value)])
    return tuple((value, str(Cadence(value).label)) for value in ordered)
