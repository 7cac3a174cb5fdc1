"""System checks: settings that would make mails or texts fail later are reported at the start."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  # Django's own name for it

LEAST_SECONDS, MOST_SECONDS = 0.5, 30


@register(Tags.files)
def local_mail_can_be_kept(**_: Any) -> list[CheckMessage]:
    """An error when mail goes to files and the folder for them cannot be written."""
    if settings.EMAIL_TRANSPORT != "local":
        return []
    folder = Path(settings.LOCAL_MAIL_DIR)
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return []
    hint = "Give the running user the right to write there, or set LOCAL_MAIL_DIR to another folder."
    return [Error("The folder for local mail cannot be written.", hint=hint, id="mailkit.E001")]


@register(Tags.security)
def undeliverable_domains_are_refused(**_: Any) -> list[CheckMessage]:
    """A warning when a public site would take sign-ups for domains that receive no mail."""
    if settings.DEBUG or settings.ADDRESS_DENY_RESERVED:
        return []
    hint = "Set ADDRESS_DENY_RESERVED=1: mail to example.com or .test bounces and harms the sender's reputation."
    return [Warning("Addresses of reserved domains are accepted.", hint=hint, id="mailkit.W002")]


@register(Tags.security)
def markup_has_a_time_limit(**_: Any) -> list[CheckMessage]:
    """An error when a hostile text could occupy a web process for long, or an honest one never be rendered."""
    if LEAST_SECONDS <= settings.MARKUP_SECONDS <= MOST_SECONDS:
        return []
    hint = f"Set MARKUP_SECONDS between {LEAST_SECONDS} and {MOST_SECONDS}; 5 is usual."
    return [Error("MARKUP_SECONDS is out of range.", hint=hint, id="mailkit.E003")]
