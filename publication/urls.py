"""Addresses as readers outside the site need them."""

from urllib.parse import urljoin

from django.conf import settings


def absolute(path: str) -> str:
    """The whole address of a path on this site; one that is whole already stays as it is."""
    return urljoin(f"{settings.SITE_URL}/", path)
