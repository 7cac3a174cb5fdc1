"""What django-allauth asks us: nobody signs up, `next` stays on this site, and nothing is mailed by it."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal import stagekit
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from core import client_address
from publication.models import Publication
from staff import backends, reauthentication, sealing


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # django-allauth publishes no types
    """Accounts come by invitation only."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": _("Too many attempts. Please wait five minutes and try again."),
        "username_password_mismatch": _("The name or address, or the password, is not right."),
        "email_password_mismatch": _("The name or address, or the password, is not right."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address whose attempts are counted; requests without any share one."""
        return client_address.client_ip(request) or client_address.UNKNOWN

    def pre_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse | None:
        """Who may not sign in, whichever key was right, gets the page of closed accounts."""
        if not backends.may_sign_in(user):
            stagekit.clear_login(request)
            return HttpResponseRedirect(reverse("account_inactive"))
        response: HttpResponse | None = super().pre_login(request, user, **options)
        return response

    def is_safe_url(self, url: str | None) -> bool:
        """Whether the address is a path of this very site; another host of ours is another site."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def is_reauthentication_required(self, *, app: str, **_options: Any) -> bool:
        """Whether a change of one's own keys asks for the password first."""
        return not reauthentication.is_recent(self.request)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """django-allauth mails nothing; what the team gets are letters of ours (`staff.letters`)."""
        raise NotImplementedError(template_prefix)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # django-allauth publishes no types
    """How authenticator apps and passkeys name this site."""

    def encrypt(self, text: str) -> str:
        """How a secret is stored."""
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """The secret again."""
        return sealing.unseal(encrypted_text)

    def get_totp_issuer(self) -> str:
        """The name above the codes in an authenticator app."""
        return Publication.objects.current().name

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Who a passkey is for: it works on this host alone."""
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return entity | {"name": self.get_totp_issuer()}
