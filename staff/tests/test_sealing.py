"""Secrets of second factors are unreadable in the database, and each change of a key is on the audit log or undone."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.totp.internal.auth import yield_hotp_counters_from_time as counters
from django.contrib.auth.models import User
from pytest_django import Settings

from staff import audit, sealing, tasks
from staff.models import AuditEvent
from tests.cast import account, signed_in

pytestmark = pytest.mark.django_db

SECRET = generate_totp_secret()


@pytest.fixture
def petra(db: None) -> User:
    return account("petra", "Publisher")


def code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, next(iter(counters())))))


def stored() -> str:
    return str(list(Authenticator.objects.values_list("data", flat=True)))


def is_right() -> bool:
    """Whether the code of the app is, which counts once."""
    app = Authenticator.objects.get(type="totp").wrap()
    assert isinstance(app, TOTP)
    return bool(app.validate_code(code(SECRET)))


def test_neither_app_nor_recovery_codes_can_be_read(petra: User) -> None:
    TOTP.activate(petra, SECRET)
    codes = RecoveryCodes.activate(petra).generate_codes()
    assert SECRET not in stored()
    assert stored().count("sealed:") == 2
    assert is_right()
    assert codes == Authenticator.objects.get(type="recovery_codes").wrap().generate_codes()


def test_the_clock_seals_what_is_in_plain_words_or_under_a_former_key(petra: User, settings: Settings) -> None:
    Authenticator.objects.create(user=petra, type="totp", data={"secret": SECRET})
    tasks.tick()
    first = stored()
    assert SECRET not in first
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", [settings.SECRET_KEY]
    assert sealing.renew() == 1
    assert stored() != first
    settings.SECRET_KEY_FALLBACKS = []
    assert sealing.renew() == 0
    assert is_right()


def test_a_secret_whose_key_is_gone_or_that_was_altered_is_nobodys(petra: User, settings: Settings) -> None:
    TOTP.activate(petra, SECRET)
    settings.SECRET_KEY = "another key"
    before = stored()
    tasks.tick()
    assert stored() == before, "it is kept for the day on which the key is found"
    assert not is_right()
    app = Authenticator.objects.get()
    app.data["secret"] = sealing.seal(SECRET)[:-8] + "AAAAAAA="
    app.save()
    assert not is_right()


def test_a_change_that_cannot_be_recorded_does_not_happen(petra: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(petra)
    client.get("/admin/account/keys/app/")
    typed = {"code": code(client.session["mfa.totp.secret"])}

    def broken(**_facts: object) -> None:
        raise RuntimeError("the log is away")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "record", broken)
        with pytest.raises(RuntimeError, match="the log is away"):
            client.post("/admin/account/keys/app/", typed)
    assert not Authenticator.objects.exists()
    assert client.post("/admin/account/keys/app/", typed).status_code == 302
    assert AuditEvent.objects.filter(action="second_factor_added").exists()


def test_a_new_name_is_on_the_log(petra: User) -> None:
    for _again in range(2):
        assert signed_in(petra).post("/admin/account/", {"name": "Petra P."}).status_code == 302
    [event] = AuditEvent.objects.filter(action="name_changed")
    assert (event.actor_id, event.detail) == (petra.pk, {"changed": {"name": ["", "Petra P."]}})
