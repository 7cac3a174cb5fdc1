"""/webhooks/<provider>/: Anymail's views behind our own address, never open without a proof.

Anymail verifies (WEBHOOK_SECRET as basic auth, and a provider's signature where it has one) and
translates; `events` stores, and a worker acts on what is stored soon after. A signature that carries
its time is good for 15 minutes. The answers: 200 stored, 400 not verified, too old or not readable,
401 no credentials, 403 not set up here, 404 no such provider, 503 not stored, so that it is sent again.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from anymail.exceptions import AnymailWebhookValidationFailure
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from digests.feedback import events, payload_times, processing, signatures
from postal import providers

log = logging.getLogger(__name__)


class NotReadable(Exception):
    """The request is verified, or cannot be, and makes no sense; sending it again will not help."""


# Providers hold no cookie of ours and send no token: a shared secret or a signature stands in for it.
@csrf_exempt
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """Take a provider's report. Only a verified POST writes anything; GET and HEAD never do."""
    name = events.provider_name(provider)
    if name not in providers.REPORTING:
        raise Http404
    if not _is_verifiable(name):
        log.error("webhook %s refused: set WEBHOOK_SECRET or the provider's key, see docs/providers.md", name)
        return HttpResponse("This webhook is not set up.", status=403, content_type="text/plain")
    if request.method == "POST" and _lacks_credentials(request):
        # Some senders (Amazon SNS) hold their credentials back until they are asked.
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Basic realm="webhooks"'})
    return _answer(request, name)


def _answer(request: HttpRequest, name: str) -> HttpResponse:
    try:
        response: HttpResponse = VIEWS[name](request)
    except AnymailWebhookValidationFailure:
        log.warning("webhook %s refused: its credentials or signature are wrong", name)
        return HttpResponse("Not verified.", status=400, content_type="text/plain")
    except NotReadable as error:
        log.warning("webhook %s refused: %s", name, error)
        return HttpResponse("Not readable.", status=400, content_type="text/plain")
    except ImproperlyConfigured as error:
        # A key or a package that this provider's view cannot do without; its message may quote settings.
        log.error("webhook %s refused: %s", name, type(error).__name__)
        return HttpResponse("This webhook is not set up.", status=403, content_type="text/plain")
    return response


def _is_verifiable(name: str) -> bool:
    configured: Mapping[str, object] = settings.ANYMAIL
    return any(configured.get(key) for key in ("WEBHOOK_SECRET", *providers.REPORTING[name].signed_by))


def _lacks_credentials(request: HttpRequest) -> bool:
    return bool(settings.ANYMAIL.get("WEBHOOK_SECRET")) and "HTTP_AUTHORIZATION" not in request.META


class _Careful:
    """Goes before one of Anymail's views: hostile payloads are refused, one bad event stops no other."""

    esp_name: str

    def run_validators(self, request: HttpRequest) -> None:
        """Raises AnymailWebhookValidationFailure, or NotReadable where a validator stumbles."""
        try:
            super().run_validators(request)  # type: ignore[misc]  # the next class is one of Anymail's, which are untyped
            signatures.check_time(provider=events.provider_name(self.esp_name), request=request, now=timezone.now())
        except (AnymailWebhookValidationFailure, ImproperlyConfigured):
            raise
        except signatures.OutOfTime as error:
            raise AnymailWebhookValidationFailure(str(error)) from None
        except Exception as error:  # noqa: BLE001  # whatever a stranger's bytes make Anymail raise, it is their fault
            raise NotReadable(type(error).__name__) from None

    def parse_events(self, request: HttpRequest) -> list[Any]:
        """Anymail's events; NotReadable for whatever its parser trips over, a wrong kind of webhook included.

        A time that cannot be read costs no event, and an event that cannot be read costs no other.
        """
        provider = events.provider_name(self.esp_name)
        found, fault = self._parsed(request)
        if fault:
            mended = payload_times.mended(provider=provider, request=request)
            found, fault = self._parsed(mended) if mended is not None else ([], fault)
        if fault and mended is not None:
            parsed = [self._parsed(one) for one in payload_times.alone(provider=provider, request=mended)]
            found = [event for some, _ in parsed for event in some]
            if found:
                log.warning("%s events of %s could not be read", sum(bool(failed) for _, failed in parsed), provider)
                fault = ""
        if fault:
            raise NotReadable(fault)
        return payload_times.forget_unreadable(found)

    def _parsed(self, request: HttpRequest) -> tuple[list[Any], str]:
        """Anymail's events, or the name of what went wrong."""
        try:
            return super().parse_events(request), ""  # type: ignore[misc]  # as above
        except Exception as error:  # noqa: BLE001  # as above
            return [], type(error).__name__

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Store, and no more: 503 if any event could not be stored, and a repeat costs the others nothing."""
        self.run_validators(request)
        told = self.parse_events(request)
        try:
            events.store(events=told, provider=self.esp_name, now=timezone.now())
        except events.NotStored:
            return HttpResponse(status=503)
        processing.hint()
        return HttpResponse()


def _careful(path: str) -> Callable[..., Any]:
    view = import_string(path)
    return type(f"Careful{view.__name__}", (_Careful, view), {}).as_view()  # type: ignore[attr-defined,no-any-return]  # from Anymail's view


VIEWS: Final = {name: _careful(reports.view) for name, reports in providers.REPORTING.items()}
