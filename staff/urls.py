"""Signing in, one's own account and its keys: below /admin/, where the admin's language and policy hold.

Of django-allauth only these pages exist: nobody signs up, and addresses are not changed by their owner.
"""

from allauth.account import views as account
from allauth.mfa.base import views as second_factor
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from django.db import transaction
from django.urls import URLPattern, URLResolver, include, path, re_path

from staff import views
from staff.again import again

# Each change of a key and its entry in the audit log (`staff.keys`) are one transaction: both happen, or neither.
recorded = transaction.atomic
KEYS: list[URLPattern | URLResolver] = [
    path("", second_factor.index, name="mfa_index"),
    path("code/", second_factor.authenticate, name="mfa_authenticate"),
    path("reauthenticate/", second_factor.reauthenticate, name="mfa_reauthenticate"),
    path("app/", recorded(totp.activate_totp), name="mfa_activate_totp"),
    path("app/remove/", recorded(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("recovery-codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("recovery-codes/new/", recorded(recovery_codes.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("recovery-codes/download/", recovery_codes.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("passkeys/", passkeys.list_webauthn, name="mfa_list_webauthn"),
    path("passkeys/add/", recorded(passkeys.add_webauthn), name="mfa_add_webauthn"),
    path("passkeys/sign-in/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("passkeys/reauthenticate/", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("passkeys/<int:pk>/remove/", recorded(passkeys.remove_webauthn), name="mfa_remove_webauthn"),
    path("passkeys/<int:pk>/edit/", passkeys.edit_webauthn, name="mfa_edit_webauthn"),
]
ACCOUNT: list[URLPattern | URLResolver] = [
    path("", views.my_account, name="account_mine"),
    path("sessions/<int:pk>/end/", views.end_session, name="account_end_session"),
    path("sessions/others/end/", views.end_other_sessions, name="account_end_other_sessions"),
    path("join/<str:token>/", views.join, name="account_join"),
    path("again/", again, name="account_again"),
    path("closed/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/", account.password_reset, name="account_reset_password"),
    path("password/asked/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/new/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        recorded(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path("password/done/", account.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    path("keys/", include(KEYS)),
]
# The first three stand where the admin has its own, so that its links and forms lead here.
urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("password_change/", recorded(views.with_password(account.password_change)), name="account_change_password"),
    path("account/", include(ACCOUNT)),
]
