"""Model admins of rows that mails come from: what the DNS says of the sender, while one types and after it is saved."""

from typing import Any

from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Field
from django.forms import Script
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from mailkit import addresses
from postal import sender_domain
from publication.models import Publication
from staff import changes, reauthentication
from staff.admin.recording import RecordingAdmin


class SenderAdmin(RecordingAdmin):
    """Warns at once of a sender whose domain does not let us send."""

    class Media:
        js = (Script("staff/sender.js", defer=True),)

    def get_urls(self) -> list[URLPattern]:
        """The admin's own, and what the script beside the form asks."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_sender"
        return [path("sender/", self.admin_site.admin_view(self.sender_view), name=name), *super().get_urls()]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A sender is changed by somebody who proved of late who they are; the page that asks goes on from here."""
        if request.method == "POST" and not reauthentication.is_recent(request):
            row = self.get_object(request, object_id) if object_id else None
            if row is not None and any(
                request.POST.get(name, value) != value for name, value in _sender_of(row).items()
            ):
                raise ReauthenticationRequired
        return super().changeform_view(request, object_id, form_url, extra_context)

    def formfield_for_dbfield(self, db_field: "Field[Any, Any]", request: HttpRequest, **options: Any) -> Any:
        """The script finds by the field whom it is to ask."""
        field = super().formfield_for_dbfield(db_field, request, **options)
        if db_field.name == "sender_address":
            field.widget.attrs["data-sender-check"] = reverse(
                f"admin:{self.opts.app_label}_{self.opts.model_name}_sender"
            )
        return field

    def sender_view(self, request: HttpRequest) -> JsonResponse:
        """For those who may change it, of what is typed: `{"flaws": [sentences]}`, or `{"fine": sentence}`."""
        if not request.user.has_perm(changes.CHANGE_SENDER):
            raise PermissionDenied
        address, reply_to = (request.GET.get(name, "") for name in ("sender_address", "reply_to"))
        flaws = _flaws(address, reply_to)
        return JsonResponse({"flaws": flaws} if flaws else {"fine": _fine(address)})

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A sender that became different is looked at once more, as it was saved."""
        super().save_related(request, form, formsets, change)
        row = form.instance
        if set(form.changed_data) & set(changes.SENDER):
            for sentence in _flaws(row.sender_address, row.reply_to):
                messages.warning(request, sentence)


def _flaws(address: str, reply_to: str) -> list[str]:
    """What is wrong, in sentences; what is empty is the publication's."""
    try:
        address, reply_to = _address(address, "sender_address"), _address(reply_to, "reply_to")
    except addresses.InvalidAddress as error:
        return [str(error)]
    return [flaw.text for flaw in sender_domain.flaws(address=address, reply_to=reply_to)] if address else []


def _address(typed: str, name: str) -> str:
    address: str = typed.strip() or getattr(Publication.objects.current(), name)
    return addresses.normalise(address).address if address else ""


def _fine(address: str) -> str:
    if settings.EMAIL_TRANSPORT == "local":
        return _("This site keeps its mails as files, so nobody asks about the sender's domain.")
    domain = _address(address, "sender_address").rpartition("@")[2]
    if not domain:
        return ""
    if settings.DKIM_SELECTOR:
        return _("%(domain)s lets us send in its name: SPF, DKIM and DMARC are in order.") % {"domain": domain}
    return _(
        "%(domain)s lets us send in its name: SPF and DMARC are in order. DKIM was not looked at, because"
        " DKIM_SELECTOR is not set."
    ) % {"domain": domain}


def _sender_of(row: Any) -> dict[str, str]:
    """Who the mails of a row come from; as it is stored."""
    return {name: getattr(row, name) for name in changes.SENDER}
