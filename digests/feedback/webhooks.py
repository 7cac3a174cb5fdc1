"""/webhooks/<provider>/: Anymail's webhook views, which accept no unauthenticated request.

Anymail verifies (WEBHOOK_SECRET as basic auth, and the provider's signature if it has one) and normalises.
`events` stores, and a worker processes the stored events soon after. A signature with a time is valid for 15
minutes. Responses: 200 stored, 400 not verified, too old or not readable, 401 no credentials, 403 not set up
here, 404 no such provider, 503 not stored, so that the provider sends it again.
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
    """The request cannot be verified or parsed. A repeated request would not help."""


# Providers have no CSRF cookie or token. A shared secret or a signature authenticates them.
@csrf_exempt
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """Receive a provider's report. Only a verified POST writes anything; GET and HEAD never do."""
    name = events.provider_name(provider)
    if name not in providers.REPORTING:
        raise Http404
    if not _is_verifiable(name):
        log.error("webhook %s refused: set WEBHOOK_SECRET or the provider's key, see docs/providers.md", name)
        return HttpResponse("This webhook is not set up.", status=403, content_type="text/plain")
    if request.method == "POST" and _lacks_credentials(request):
        # Some senders (Amazon SNS) send their credentials only after a 401.
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
        # A required key or package is missing. The message may quote settings, so it is not sent.
        log.error("webhook %s refused: %s", name, type(error).__name__)
        return HttpResponse("This webhook is not set up.", status=403, content_type="text/plain")
    return response


def _is_verifiable(name: str) -> bool:
    configured: Mapping[str, object] = settings.ANYMAIL
    return any(configured.get(key) for key in ("WEBHOOK_SECRET", *providers.REPORTING[name].signed_by))


def _lacks_credentials(request: HttpRequest) -> bool:
    return bool(settings.ANYMAIL.get("WEBHOOK_SECRET")) and "HTTP_AUTHORIZATION" not in request.META


class _Robust:
    """A mixin for Anymail's views: hostile payloads get a 400, and one bad event does not affect the others."""

    esp_name: str

    def run_validators(self, request: HttpRequest) -> None:
        """Raises AnymailWebhookValidationFailure, or NotReadable if a validator fails in another way."""
        try:
            super().run_validators(request)  # type: ignore[misc]  # the next class in the MRO is Anymail's, which is untyped
            signatures.check_time(provider=events.provider_name(self.esp_name), request=request, now=timezone.now())
        except (AnymailWebhookValidationFailure, ImproperlyConfigured):
            raise
        except signatures.OutOfTime as error:
            raise AnymailWebhookValidationFailure(str(error)) from None
        except Exception as error:  # noqa: BLE001  # hostile bytes may make Anymail raise anything
            raise NotReadable(type(error).__name__) from None

    def parse_events(self, request: HttpRequest) -> list[Any]:
        """Anymail's events. NotReadable if its parser fails, also for a wrong kind of webhook.

        An event with an unreadable time is kept, and an unreadable event does not affect the others.
        """
        provider = events.provider_name(self.esp_name)
        readable, fault = self._parsed(request)
        if fault:
            repaired = payload_times.repaired(provider=provider, request=request)
            readable, fault = self._parsed(repaired) if repaired is not None else ([], fault)
        if fault and repaired is not None:
            parsed = [self._parsed(one) for one in payload_times.split(provider=provider, request=repaired)]
            readable = [event for some, _ in parsed for event in some]
            if readable:
                log.warning("%s events of %s could not be read", sum(bool(failed) for _, failed in parsed), provider)
                fault = ""
        if fault:
            raise NotReadable(fault)
        return payload_times.drop_unreadable(readable)

    def _parsed(self, request: HttpRequest) -> tuple[list[Any], str]:
        """Anymail's events, and the name of the error if its parser failed."""
        try:
            return super().parse_events(request), ""  # type: ignore[misc]  # as above
        except Exception as error:  # noqa: BLE001  # as above
            return [], type(error).__name__

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Store the events; 503 if any could not be stored. A repeated request stores none of the others twice."""
        self.run_validators(request)
        reported = self.parse_events(request)
        try:
            events.store(events=reported, provider=self.esp_name, now=timezone.now())
        except events.NotStored:
            return HttpResponse(status=503)
        processing.wake_up()
        return HttpResponse()


def _robust(path: str) -> Callable[..., Any]:
    view = import_string(path)
    return type(f"Robust{view.__name__}", (_Robust, view), {}).as_view()  # type: ignore[attr-defined,no-any-return]  # from Anymail's view


VIEWS: Final = {name: _robust(reports.view) for name, reports in providers.REPORTING.items()}
