"""A column that says who may not be mailed is understood under names that no table has; if not, the file is refused."""

import tempfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from subscribers import imports
from subscribers.import_words import Status
from subscribers.models import ConsentEvent, Newsletter, Subscriber, Subscription, Suppression
from subscribers.tests.conftest import import_text
from tests.cast import BOB, RITA, ask, confirmed
from tests.table import rows

pytestmark = pytest.mark.django_db

# The header of one column besides the address; its value for a reader, and its value for somebody who is none.
COLUMNS = [
    ("unsubscribedAt", "", "2024-03-01T10:00:00Z"),
    ("isActive", "true", "false"),
    ("optOut", "0", "1"),
    ("Email Opt Out Date", "", "03/01/2024"),
    ("Opt-out reason", "", "too many mails"),
    ("Global status", "subscribed", "unsubscribed"),
    ("Mailing status", "active", "Unsubscribed by a link"),
    ("Member state", "subscribed", "left"),
    ("State", "Active", "Bounced"),
    ("SuppressionReason", "", "HardBounce"),
    ("Email Suppressions", "[]", "[SPAM_COMPLAINT]"),
    ("undeliverability_date", "", "2024-01-01"),
    ("is_excluded_from_campaigns", "false", "true"),
    ("email_marketable", "true", "false"),
    ("Do Not Contact", "", "1"),
    ("Invalid email address", "", "true"),
    ("Stop Status", "", "unsubscribed"),
    ("disabled", "0", "1"),
    ("deactivated on", "", "1 March 2024"),
    ("Newsletter", "✓", ""),
    ("Newsletter", "ja", "nein"),
    ("Mitgliedsstatus", "aktiv", "gekündigt"),
    ("Abmeldegrund", "", "zu oft"),
    ("Date de désabonnement", "", "12/03/2023"),
    ("Statut", "Abonne\N{COMBINING ACUTE ACCENT}", "De\N{COMBINING ACUTE ACCENT}sabonné(e)"),
    ("Estado de la suscripción", "Suscrito", "No suscrito"),
    ("Причина отписки", "", "надоело"),
    ("Статус рассылки", "Подписана", "Отписан(а)"),
]


@rows(("column", "yes", "no"), COLUMNS)
def test_a_column_is_understood_by_the_beginnings_of_its_words(
    newsletter: Newsletter, column: str, yes: str, no: str
) -> None:
    report = import_text(f'E-Mail;"{column}"\n{RITA};"{no}"\n{BOB};"{yes}"\n', newsletter)

    assert (report.imported, [refused.line for refused in report.refused]) == (1, [2])
    assert f"“{column}”" in report.refused[0].reason
    assert Subscriber.objects.get().address == BOB


@rows(
    ("column", "values"),
    [
        ("Notes", ["unsubscribed from the paper edition", "bounced a cheque"]),
        ("SMS opt-out", ["yes", "no"]),
        ("Unsubscribe link", ["https://old.net/u/1", "https://old.net/u/2"]),
        ("Last activity", ["never", "2 days ago"]),
        ("active_subscription", ["false", "true"]),
        ("Free Tier", ["Yes", "No"]),
        ("Block", ["12", "B"]),
        ("Estado", ["Jalisco", "Oaxaca"]),
        ("Consent to track", ["No", "Unchanged"]),
        ("Bounce count", ["0", "3"]),
        ("OPTIN_TIME", ["2024-01-01 10:00:00", ""]),
        ("Marital status", ["single", "married"]),
    ],
)
def test_a_column_about_something_else_is_left_alone(newsletter: Newsletter, column: str, values: list[str]) -> None:
    report = import_text(f"Email,{column}\n{RITA},{values[0]}\n{BOB},{values[1]}\n", newsletter)

    assert (report.imported, report.refused) == (2, [])


def test_a_word_in_a_nameless_file_is_a_no_too(newsletter: Newsletter) -> None:
    report = import_text(f"{RITA},unsubscribed\n{BOB},subscribed\n", newsletter)

    assert [refused.line for refused in report.refused] == [1]
    assert Subscriber.objects.get().address == BOB


@rows("column", ["Kundenstatus", "Newsletter", "Deleted"])
def test_an_unknown_word_refuses_the_file_until_the_column_is_ignored(newsletter: Newsletter, column: str) -> None:
    text = f"Email,{column}\n{BOB},yes\n{RITA},gold\n"
    with pytest.raises(imports.ImportRefused, match=f'Line 3: .*“{column}” holds “gold”.*--ignore-column "{column}"'):
        import_text(text, newsletter)
    assert not Subscriber.objects.exists()
    assert not ConsentEvent.objects.exists()

    assert import_text(text, newsletter, ignored=[column]).imported == 2


def test_a_sentence_about_a_cell_repeats_no_address(newsletter: Newsletter) -> None:
    with pytest.raises(imports.ImportRefused, match="“Status” holds an address"):
        import_text(f"Email,Status\n{RITA},{BOB}\n", newsletter)
    with pytest.raises(imports.ImportRefused, match="does not name the columns") as refusal:
        import_text(f"Rita,{RITA}\n", newsletter)
    assert "@" not in str(refusal.value)


@rows(("code", "reason"), [("5.1.1", "hard_bounce"), ("550 5.1.10", "hard_bounce"), ("5.7.1", None), ("4.2.2", None)])
def test_a_code_of_a_mail_server_is_no_subscription(newsletter: Newsletter, code: str, reason: str | None) -> None:
    import_text(f"email,reason,status,created\n{RITA},see there,{code},1600000000\n", newsletter)
    suppression = Suppression.objects.first()

    assert not Subscriber.objects.exists()
    assert (suppression.reason if suppression else None) == reason


@rows("name", ["unsubscribes", "nonsubscribed_members_export_1", "Abmeldungen", "spam-reports"])
def test_a_list_of_noes_without_a_column_asks_what_it_is(newsletter: Newsletter, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.csv")
        path.write_text(f"email,created\n{RITA},1600000000\n", encoding="utf-8")
        with pytest.raises(CommandError, match="--everybody left"):
            call_command("import_subscribers", str(path), newsletter=newsletter.slug, cadence="daily", basis="b")
        assert not ConsentEvent.objects.exists()
        source = imports.open_source(path=path, everybody=Status.YES)
        plan = imports.plan(newsletter=newsletter, cadence="daily", basis="b")
        assert imports.run(source=source, plan=plan, actor=None, now=timezone.now()).imported == 1


def test_a_plain_list_can_be_said_to_be_of_people_who_left(newsletter: Newsletter, product: Newsletter) -> None:
    report = import_text(f"email,status\n{RITA},active\n{BOB},bounced\n", newsletter, everybody=Status.LEFT)
    assert (report.imported, report.said_no) == (0, 2)
    assert "said of everybody" in report.refused[0].reason
    assert Suppression.objects.get().reason == "hard_bounce"

    assert import_text(f"email\n{RITA}\n{BOB}\n", product).imported == 0


def test_a_missing_yes_elsewhere_takes_nothing_from_who_asked_or_confirmed_here(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    ask(BOB, newsletter)
    report = import_text(f"email,status\n{RITA},pending\n{BOB},\n", newsletter)

    assert all("counts more" in refused.reason for refused in report.refused)
    states = dict(Subscription.objects.values_list("subscriber__address", "state"))
    assert states == {RITA: "confirmed", BOB: "pending"}
    assert not ConsentEvent.objects.filter(kind="withdrawn").exists()


def test_a_missing_yes_ends_what_only_an_import_began(newsletter: Newsletter) -> None:
    import_text(f"email\n{RITA}\n", newsletter)
    import_text(f"email,status\n{RITA},unconfirmed\n", newsletter)

    assert Subscription.objects.get().state == "unsubscribed"


def test_the_time_of_a_no_counts_wherever_its_column_stands(newsletter: Newsletter) -> None:
    rita = confirmed(RITA, newsletter)
    import_text(f"email,status,unsubscribed_at\n{RITA},unsubscribed,2020-01-01T00:00:00Z\n", newsletter)
    rita.refresh_from_db()

    assert rita.state == "confirmed"
