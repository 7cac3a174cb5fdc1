"""How copies leave: `smtp` (pipelined), `esp` (a provider through Anymail), `local` (files)."""

from django.conf import settings

from digests.sending.transports import relays
from digests.sending.transports.base import Transport
from digests.sending.transports.esp import EspTransport
from digests.sending.transports.local import LocalTransport
from digests.sending.transports.smtp import SmtpTransport


def for_settings() -> Transport:
    """A new transport of the kind that EMAIL_URL names. The caller closes it."""
    if settings.EMAIL_TRANSPORT == "smtp" and len(settings.RELAYS) > 1:
        return relays.RelayTransport(relays=relays.configured(), sending=settings.SENDING)
    if settings.EMAIL_TRANSPORT == "smtp":
        return SmtpTransport(smtp=settings.SMTP, sending=settings.SENDING)
    if settings.EMAIL_TRANSPORT == "esp":
        return EspTransport(backend=settings.EMAIL_BACKEND, provider=settings.EMAIL_PROVIDER)
    return LocalTransport()
