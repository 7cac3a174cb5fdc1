"""A file says who may not be mailed, in the words of many tools; nobody of those becomes a reader."""

from datetime import timedelta

import pytest
from django.core import management
from django.test import Client
from django.utils import timezone

from mailkit import addresses
from subscribers import imports, links, signup
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription, Suppression
from subscribers.tests.conftest import import_text
from tests.cast import BOB, RITA, ask, confirmed, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db

# One export of each tool, as it writes it: the first reader is subscribed, the others are not.
EXPORTS = {
    "Ghost": (
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels\n"
        "1,yes@a.net,Ann,,true,false,,2024-02-01T08:00:00.000Z,,\n"
        "2,no1@a.net,Ben,,false,false,,2024-02-01T08:00:00.000Z,,\n"
        "3,no2@a.net,Cy,,true,false,,2024-02-01T08:00:00.000Z,2024-09-09T00:00:00.000Z,\n"
        "4,no3@a.net,Di,,,false,,2024-02-01T08:00:00.000Z,,\n"
    ),
    "listmonk": (
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        'u1,yes@a.net,Ann,"{""town"": ""Karakol""}",enabled,2026-07-21 12:53:04 +0530 IST,2024-02-01\n'
        "u2,no1@a.net,Ben,{},blocklisted,2024-02-01,2024-02-01\nu3,no2@a.net,Cy,{},disabled,2024-02-01,2024-02-01\n"
    ),
    "Substack": (
        "email,active_subscription,expiry,email_disabled,prefer_digests,created_at\n"
        "yes@a.net,false,,false,false,2024-02-01\nno1@a.net,true,,true,false,2024-02-01\n"
        "no2@deletion-request.substack.com,false,,false,false,2024-02-01\n"
    ),
    "Substack, newer": (
        "email,expiry,email_disabled,prefer_digests,stripe_connected_customer_id,type\n"
        "yes@a.net,,false,true,,free\nno1@a.net,,true,false,,paid\n"
    ),
    "Buttondown": (
        "id,email_address,notes,type,creation_date,unsubscription_date,tags,metadata\n"
        "1,yes@a.net,,regular,2024-02-01,,,\"{'a': 'b'}\"\n2,no1@a.net,,unsubscribed,2024-02-01,2025-01-01,,\n"
        "3,no2@a.net,,unactivated,2024-02-01,,,\n4,no3@a.net,,complained,2024-02-01,,,\n"
        "5,no4@a.net,,undeliverable,2024-02-01,,,\n6,no5@a.net,,regular,2024-02-01,2025-01-01,,\n"
    ),
    "beehiiv": (
        "id,email,First Name,status,tier,created_at,unsubscribed_at\n"
        "1,yes@a.net,Ann,active,free,2024-02-01 10:00:00 UTC,\n"
        "2,no1@a.net,Ben,active,free,2024-02-01 10:00:00 UTC,2024-03-01 10:00:00 UTC\n"
        "3,no2@a.net,Cy,inactive,free,2024-02-01 10:00:00 UTC,\n4,no3@a.net,Di,pending,free,2024-02-01 10:00:00 UTC,\n"
    ),
    "Sendy": "Name,Email,Status\nAnn,yes@a.net,Subscribed\nBen,no1@a.net,Marked as spam\nCy,no2@a.net,Soft bounced\n",
    "Brevo": "EMAIL;LASTNAME;EMAIL_BLACKLISTED\nyes@a.net;Ann;no\nno1@a.net;Ben;yes\n",
    "Klaviyo": "Email,Email Marketing Consent\nyes@a.net,SUBSCRIBED\nno1@a.net,NEVER_SUBSCRIBED\n",
    "HubSpot": "Email,Unsubscribed from all email\nyes@a.net,false\nno1@a.net,true\nno2@a.net,2024-05-01 10:00\n",
    "Keila": "Email,First name,Last name,Status\nyes@a.net,A,B,active\nno1@a.net,C,D,unreachable\n",
    "German": "E-Mail-Adresse;Vorname;Status\nyes@a.net;Ann;angemeldet\nno1@a.net;Ben;Abgemeldet\n",
    "Russian": "Адрес электронной почты;Имя;Статус\nyes@a.net;Анна;Подписан\nno1@a.net;Борис;Отписан\n",
    "French": "Adresse e-mail,Prénom,Statut\nyes@a.net,Ann,Abonné\nno1@a.net,Ben,Désabonné\n",
    "Spanish": "Correo electrónico,Nombre,Estado\nyes@a.net,Ann,Suscrito\nno1@a.net,Ben,Baja\n",
    "by hand": "Address,Mail,Subscribed?\n7 Mill Lane,yes@a.net,x\n8 Mill Lane,no1@a.net,\n",
}


# The same by other words and in other shapes: again one reader is subscribed.
OTHER_WORDS = {
    "one word in two": "Email,Status\nyes@a.net,subscribed\nno1@a.net,un-subscribed\nno2@a.net,UnSubscribed\n",
    "more words behind": "Email;Статус\nyes@a.net;Активен\nno1@a.net;Пожаловался на нас\nno2@a.net;Ожидает ответа\n",
    "German": "E-Mail;Werbesperre;Robinsonliste\nyes@a.net;Nein;\nno1@a.net;Ja;\nno2@a.net;;x\n",
    "French": "Courriel;Ne plus contacter;NPAI\nyes@a.net;;non\nno1@a.net;oui;\nno2@a.net;;oui\n",
    "Spanish": "Correo;No enviar;Lista negra\nyes@a.net;;\nno1@a.net;sí;\nno2@a.net;;sí\n",
    "Russian": "E-mail;Не беспокоить;Стоп-лист\nyes@a.net;нет;\nno1@a.net;да;\nno2@a.net;;да\n",
    "consent by its law": "Email,GDPR\nyes@a.net,yes\nno1@a.net,no\n",
    "how often": "Email,Email frequency\nyes@a.net,daily\nno1@a.net,never\n",
    "no name above": "Email,\nyes@a.net,active\nno1@a.net,Unsubscribed 2024-05-01\n",
    "a comma too many": "Email,Name,Unsubscribed at\nyes@a.net,Ann,\nno1@a.net,Ben, Dr.,,2024-05-01\n",
    "a cell that no column has": "Email,Name\nyes@a.net,Ann\nno1@a.net,Ben,unsubscribed\n",
    "read by halves": 'Email,Note,Status\nno1@a.net,"a,unsubscribed\nyes@a.net,,active\nno1@a.net,,active\n',
}


def test_a_no_is_seen_in_other_words_and_shapes(newsletter: Newsletter) -> None:
    for words, text in OTHER_WORDS.items():
        report = import_text(text, newsletter, dry_run=True)
        assert (report.imported, len(report.refused)) == (1, text.count("\n") - 2), words


@rows("tool", EXPORTS)
def test_who_said_no_is_refused_by_line_and_column_and_never_comes_in(newsletter: Newsletter, tool: str) -> None:
    report = import_text(EXPORTS[tool], newsletter)
    rows = EXPORTS[tool].count("\n") - 1

    assert (report.imported, report.already_there, len(report.refused)) == (1, 0, rows - 1)
    assert [refused.line for refused in report.refused] == list(range(3, rows + 2))
    assert all("column “" in refused.reason or "asked the old system" in refused.reason for refused in report.refused)
    assert "@" not in "".join(refused.reason for refused in report.refused)
    assert Subscriber.objects.get().address == "yes@a.net"


@rows("tool", EXPORTS)
def test_a_no_stands_in_the_way_of_a_later_list(newsletter: Newsletter, product: Newsletter, tool: str) -> None:
    import_text(EXPORTS[tool], newsletter)
    everybody = [
        word for line in EXPORTS[tool].splitlines() for word in line.replace(";", ",").split(",") if "@a.net" in word
    ]
    for other in (newsletter, product):
        import_text("\n".join(["email", *everybody]), other)

    assert set(Subscriber.objects.values_list("address", flat=True)) == {"yes@a.net"}
    assert Subscription.objects.mailable(now=timezone.now()).count() == 2


@rows(
    ("columns", "row", "reason"),
    [
        ("Email Address,UNSUB_TIME,UNSUB_REASON", "rita@reader.org,2022-03-01 10:00:00,NORMAL", None),
        ("Email Address,UNSUB_TIME,UNSUB_REASON", "rita@reader.org,,", None),
        ("Email Address,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE", "rita@reader.org,2022-03-01 10:00:00,May", "hard_bounce"),
        ("email,status", "rita@reader.org,bounced", "hard_bounce"),
        ("email,status", "rita@reader.org,spam complaint", "complaint"),
        ("email,status", "rita@reader.org,blacklisted", "manual"),
        ("email,status", "rita@reader.org,deleted", "erased"),
        ("email,status", "rita@reader.org,unsubscribed", None),
        ("email,status", "rita@reader.org,", None),
    ],
)
def test_each_no_is_kept_as_what_it_is(newsletter: Newsletter, columns: str, row: str, reason: str | None) -> None:
    import_text(f"{columns}\n{row}\n", newsletter)
    suppression = Suppression.objects.first()

    assert (suppression.reason if suppression else None) == reason
    assert not Subscriber.objects.exists()
    if reason is None:
        act = ConsentEvent.objects.get()
        assert (act.kind, act.source) == ("withdrawn", "import")
        assert "column “" in act.basis
        assert act.address_hash == addresses.keyed_hash(RITA)


def test_a_no_wins_over_a_yes_wherever_it_stands_in_the_file(newsletter: Newsletter) -> None:
    for text in (
        f"email,status\n{RITA},active\n{RITA},unsubscribed\n",
        f"email,status\n{RITA},unsubscribed\n{RITA},active\n",
    ):
        report = import_text(text, newsletter)
        assert (report.imported, len(report.refused), report.said_no) == (0, 2, 1)


def test_a_word_that_nobody_knows_refuses_the_whole_file(newsletter: Newsletter) -> None:
    with pytest.raises(imports.ImportRefused, match="Line 3: The column “Status” holds “mañana”"):
        import_text(f"Email,Status\n{BOB},active\n{RITA},mañana\n", newsletter)

    assert not Subscriber.objects.exists()
    assert not ConsentEvent.objects.exists()


def test_a_column_of_another_meaning_is_no_status(newsletter: Newsletter) -> None:
    assert import_text(f"email,type,state\n{RITA},customer,CA\n{BOB},partner,NY\n", newsletter).imported == 2


def test_who_left_everything_stays_away_from_every_newsletter(newsletter: Newsletter, product: Newsletter) -> None:
    rita = confirmed(RITA, newsletter)
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="test", now=timezone.now())
    report = import_text(f"email\n{RITA}\n", product)

    assert [refused.reason for refused in report.refused] == [imports.LEFT]
    assert not Subscription.objects.confirmed().exists()


def test_who_left_one_newsletter_and_reads_another_may_get_a_third(newsletter: Newsletter, product: Newsletter) -> None:
    confirmed(RITA, product)
    rita = confirmed(RITA, newsletter)
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="test", now=timezone.now())

    assert import_text(f"email\n{RITA}\n", newsletter).imported == 0
    assert import_text(f"email\n{RITA}\n", product).already_there == 1


def test_only_their_own_act_opens_the_way_back(browser: Client, newsletter: Newsletter, product: Newsletter) -> None:
    import_text(f"email,status\n{RITA},unsubscribed\n", newsletter)
    reader = ask(RITA, newsletter)
    assert import_text(f"email\n{RITA}\n", product).imported == 0
    link = links.confirm_token(subscriptions=reader.subscriptions.all())
    assert browser.post(f"/confirm/{link}/").status_code == 200

    assert import_text(f"email\n{RITA}\n", product).imported == 1
    assert Subscription.objects.mailable(now=timezone.now()).count() == 2


def test_a_no_ends_what_an_earlier_list_began_without_a_letter(newsletter: Newsletter) -> None:
    import_text(f"email\n{RITA}\n", newsletter)
    import_text(f"email,status\n{RITA},unsubscribed\n", newsletter)

    assert Subscription.objects.get().state == "unsubscribed"
    assert not Letter.objects.exists()


@pytest.mark.parametrize(("days", "state"), [(-1, "confirmed"), (1, "unsubscribed")])
def test_who_confirmed_here_after_they_left_there_stays(newsletter: Newsletter, days: int, state: str) -> None:
    rita = confirmed(RITA, newsletter)
    left = (timezone.now() + timedelta(days=days)).isoformat()
    import_text(f"email,unsubscribed_at\n{RITA},{left}\n", newsletter)
    rita.refresh_from_db()

    assert rita.state == state


def test_the_same_list_of_noes_again_adds_nothing(newsletter: Newsletter) -> None:
    for _ in range(2):
        import_text(EXPORTS["Buttondown"], newsletter)

    assert ConsentEvent.objects.filter(kind="withdrawn").count() == 3
    assert Suppression.objects.count() == 2


def test_a_dry_run_counts_the_same_and_keeps_nothing(newsletter: Newsletter) -> None:
    report = import_text(f"email,status\n{RITA},unsubscribed\n{BOB},active\n{RITA},active\n", newsletter, dry_run=True)

    assert (report.imported, report.said_no, len(report.refused)) == (1, 1, 2)
    assert not ConsentEvent.objects.exists()
    assert not Subscriber.objects.exists()


def test_a_withdrawal_of_no_reader_does_not_break_the_proof(newsletter: Newsletter) -> None:
    import_text(f"email,status\n{RITA},unsubscribed\n", newsletter)

    management.call_command("verify_consent")
