"""The worker's side of what all apps share."""

from celery import shared_task

from core import link_check
from core.link_check import Link


@shared_task
def check_links() -> None:
    """Look up the links that pages asked about; what is left after a while is for the next task."""
    if link_check.work():
        check_links.delay_on_commit()  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task


def links(*, urls: list[str]) -> list[Link]:
    """What is known of these links; the worker is asked to look up the others."""
    if link_check.ask(urls=urls):
        check_links.delay_on_commit()  # type: ignore[attr-defined]  # as above
    return link_check.verdicts(urls=urls)
