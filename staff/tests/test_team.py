"""Who may do what to whose account: invitations, roles, closing, keys; the last administrator stays."""

import re
from datetime import datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from publication.models import Publication
from staff import invitations, links, roles, tasks, team
from staff.models import AuditEvent, Invitation
from staff.role_names import Role
from tests.cast import account, signed_in
from tests.table import rows

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough password"
NEW = "new@blocknews.example"


@pytest.fixture
def petra(publication: Publication) -> User:
    return account("petra", "Publisher")


@pytest.fixture
def edda(db: None) -> User:
    return account("edda", "Editor")


@pytest.fixture
def chief(db: None) -> User:
    person = account("chief", "Administrator")
    roles.give(person, Role.ADMINISTRATOR)
    return person


def invited(by: User, role: Role = Role.EDITOR) -> Invitation:
    return invitations.invite(address=NEW, role=role, actor=by, now=timezone.now())


def path(invitation: Invitation) -> str:
    return links.join(invitation).partition("//")[2].partition("/")[2].join("/ ").replace(" ", "")


def join(client: Client, place: str, **fields: str) -> int:
    return client.post(place, {"name": "Nadia New", "password": PASSWORD} | fields).status_code


def test_a_publisher_invites_and_the_person_joins_once(petra: User) -> None:
    page = signed_in(petra).post(
        "/admin/staff/invitation/invite/", {"address": NEW.upper(), "role": "Editor"}, follow=True
    )
    assert "on its way" in page.content.decode()
    invitation = Invitation.objects.get()
    tasks.mail_invitation.run(invitation.pk)
    tasks.mail_invitation.run(invitation.pk)
    [letter] = mail.outbox
    assert letter.to == [NEW]
    [address] = set(re.findall(r"/admin/account/join/\S+/", str(letter.body)))

    stranger = Client()
    assert NEW in stranger.get(address).content.decode()
    assert join(stranger, address, password="12345") == 200, "a weak password"
    assert join(stranger, address, address="eve@evil.test", role="Administrator") == 302
    person = User.objects.get(username=NEW)
    assert (person.email, roles.of(person), person.get_full_name()) == (NEW, Role.EDITOR, "Nadia New")
    assert stranger.get("/admin/").status_code == 200
    assert Client().get(address).status_code == 410
    assert join(Client(), address) == 410
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {"person_invited", "person_joined"}


def test_a_colleague_who_opens_the_link_does_not_get_it(petra: User, edda: User) -> None:
    """The account is the invited one's, and the colleague is signed out."""
    browser = signed_in(edda)
    assert join(browser, path(invited(petra))) == 302
    assert roles.of(edda) == Role.EDITOR
    assert browser.get("/admin/").wsgi_request.user.get_username() == NEW


@rows("end", ["withdrawn", "old", "again", "forged"])
def test_a_link_that_is_over_opens_nothing(petra: User, end: str) -> None:
    invitation = invited(petra)
    address = path(invitation)
    match end:
        case "withdrawn":
            invitations.withdraw(invitation=invitation, actor=petra, now=timezone.now())
        case "old":
            Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        case "again":
            invited(petra)
        case "forged":
            address = address.replace("join/", "join/x")
    assert Client().get(address).status_code == 410
    assert join(Client(), address) == 410
    assert not User.objects.filter(username=NEW).exists()


@rows(("who", "role", "allowed"), [
    ("petra", Role.PUBLISHER, True), ("petra", Role.ADMINISTRATOR, False), ("edda", Role.AUTHOR, False),
    ("chief", Role.ADMINISTRATOR, True),
])  # fmt: skip
def test_who_may_give_which_role(petra: User, edda: User, chief: User, who: str, role: Role, allowed: bool) -> None:
    actor, now = User.objects.get(username=who), timezone.now()
    other = account("other", "Author")
    for act in (
        lambda: invitations.invite(address=NEW, role=role, actor=actor, now=now),
        lambda: team.change_role(person=other, role=role, actor=actor, now=now),
    ):
        if allowed:
            act()
        else:
            with pytest.raises(roles.NotAllowed):
                act()
    assert (roles.of(User.objects.get(pk=other.pk)) == role) is (allowed or role == Role.AUTHOR)
    page = signed_in(actor).post("/admin/staff/invitation/invite/", {"address": "x@blocknews.example", "role": role})
    assert (page.status_code == 302) is allowed


@rows("act", ["role", "close", "keys", "sessions"])
def test_a_publisher_does_nothing_to_an_administrator(petra: User, chief: User, act: str) -> None:
    page = f"/admin/staff/person/{chief.pk}/do/{act}/"
    response = signed_in(petra).post(page, {"role": "Author"})
    assert response.status_code == 200
    assert "Only an administrator" in response.content.decode()
    assert roles.administrators().get() == chief


def test_nobody_raises_their_own_role_and_the_last_administrator_stays(petra: User, chief: User) -> None:
    now = timezone.now()
    for person in (petra, chief):
        with pytest.raises(roles.NotAllowed, match="own role"):
            team.change_role(person=person, role=Role.EDITOR, actor=person, now=now)
    with pytest.raises(roles.NotAllowed, match="last administrator"):
        team.change_role(person=chief, role=Role.EDITOR, actor=None, now=now)
    with pytest.raises(roles.NotAllowed, match="last administrator"):
        team.close(person=chief, actor=None, now=now)
    team.change_role(person=petra, role=Role.ADMINISTRATOR, actor=chief, now=now)
    team.close(person=chief, actor=petra, now=now)
    assert roles.administrators().get() == petra


def test_a_closed_account_is_signed_out_and_opens_again(petra: User, edda: User) -> None:
    browser, desk = signed_in(edda), signed_in(petra)
    assert desk.post(f"/admin/staff/person/{edda.pk}/do/close/").status_code == 302
    assert browser.get("/admin/").status_code == 302
    assert desk.get(f"/admin/staff/person/{edda.pk}/change/").status_code == 200
    assert desk.post(f"/admin/staff/person/{edda.pk}/do/reopen/").status_code == 302
    assert User.objects.get(pk=edda.pk).is_active


def test_lost_keys_are_reset_by_a_colleague_or_a_command(petra: User, edda: User) -> None:
    TOTP.activate(edda, "JBSWY3DPEHPK3PXP")
    signed_in(petra).post(f"/admin/staff/person/{edda.pk}/do/keys/")
    assert not Authenticator.objects.exists()
    TOTP.activate(edda, "JBSWY3DPEHPK3PXP")
    call_command("reset_second_factor", "EDDA")
    assert not Authenticator.objects.exists()
    actors = AuditEvent.objects.filter(action="second_factor_removed").values_list("actor_name", flat=True)
    assert set(actors) == {"petra", ""}
    with pytest.raises(CommandError):
        call_command("reset_second_factor", "nobody")


def test_the_first_administrator_comes_by_one_link(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("first_administrator", "boss@blocknews.example")
    before, _, last = capsys.readouterr().out.strip().rpartition("/admin/")
    call_command("first_administrator", "boss@blocknews.example")
    first, second = f"/admin/{last}", "/admin/" + capsys.readouterr().out.strip().rpartition("/admin/")[2]
    assert "works once" in before
    assert Client().get(first).status_code == 410, "a second link ends the first"
    assert join(Client(), second) == 302
    boss = roles.administrators().get()
    assert (boss.username, roles.of(boss)) == ("boss@blocknews.example", Role.ADMINISTRATOR)
    assert join(Client(), second) == 410
    with pytest.raises(CommandError, match="has an administrator"):
        call_command("first_administrator", "eve@evil.test")


def test_a_first_link_is_nothing_once_there_is_an_administrator(now: datetime) -> None:
    invitation = invitations.invite_first(address="boss@blocknews.example", now=timezone.now())
    User.objects.create_superuser("chief")
    assert join(Client(), path(invitation)) == 410


def test_the_pages_of_the_team_say_who_is_who(petra: User, edda: User, chief: User) -> None:
    signed_in(edda)
    page = signed_in(petra).get("/admin/staff/person/").content.decode()
    assert all(word in page for word in ("edda", "Editor", "Publisher", "Administrator"))
    person = signed_in(petra).get(f"/admin/staff/person/{edda.pk}/change/").content.decode()
    assert "Change the role" in person
    assert signed_in(edda).get("/admin/staff/person/").status_code == 403
    roles_page = signed_in(petra).get(f"/admin/staff/person/{edda.pk}/do/role/").content.decode()
    assert "Writes stories and hands them in" in roles_page
    assert "May do everything" not in roles_page


def test_the_list_of_the_team_asks_no_more_for_more_people(petra: User) -> None:
    desk = signed_in(petra)
    counted = []
    for name in ("edda", "ada", "otto"):
        account(name, "Editor")
        User.objects.update(last_login=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            assert desk.get("/admin/staff/person/").status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[-1]


def test_own_sessions_are_listed_and_ended(edda: User, petra: User) -> None:
    here, there, other = signed_in(edda), signed_in(edda), signed_in(petra)
    page = here.get("/admin/account/").content.decode()
    [ending] = re.findall(r"/admin/account/sessions/\d+/end/", page)
    other.post(ending)
    assert there.get("/admin/articles/tag/").status_code == 200, "a colleague ended it"
    here.post(ending)
    assert there.get("/admin/articles/tag/").status_code == 302
    there = signed_in(edda)
    here.post("/admin/account/sessions/others/end/")
    assert there.get("/admin/articles/tag/").status_code == 302
    assert here.get("/admin/articles/tag/").status_code == 200
