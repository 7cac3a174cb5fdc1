"""How copies leave: `smtp` (pipelined), `esp` (a provider through Anymail), `local` (files)."""

from django.conf import settings

from postal.leases import Lease
from postal.transports import relays
from postal.transports.base import Transport
from postal.transports.esp import EspTransport
from postal.transports.local import LocalTransport
from postal.transports.smtp import SmtpTransport


def for_settings(*, lease: Lease) -> Transport:
    """A new transport of the kind that EMAIL_URL names, which obeys the lease. The caller closes it."""
    if settings.EMAIL_TRANSPORT == "smtp" and len(settings.RELAYS) > 1:
        return relays.RelayTransport(relays=relays.configured(), sending=settings.SENDING, lease=lease)
    if settings.EMAIL_TRANSPORT == "smtp":
        return SmtpTransport(smtp=settings.SMTP, sending=settings.SENDING, lease=lease)
    if settings.EMAIL_TRANSPORT == "esp":
        return EspTransport(backend=settings.EMAIL_BACKEND, provider=settings.EMAIL_PROVIDER, lease=lease)
    return LocalTransport(lease=lease)
