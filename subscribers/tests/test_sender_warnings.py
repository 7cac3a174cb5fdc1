"""A sender whose domain does not let us send is warned of at once: while it is typed, and when it was saved."""

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from postal.tests import name_server
from publication.models import Publication
from subscribers.models import Newsletter
from subscribers.tests.test_audited_readers import change
from tests import redis_keys
from tests.cast import account, signed_in

pytestmark = pytest.mark.django_db

GOOD, BAD = "good.example", "bad.example"
ZONE = {
    (GOOD, "TXT"): ['"v=spf1 mx -all"'],
    (f"_dmarc.{GOOD}", "TXT"): ['"v=DMARC1; p=reject"'],
    (f"mail._domainkey.{GOOD}", "TXT"): ['"v=DKIM1; k=rsa; p=MIIB"'],
    (GOOD, "MX"): ["10 mx.good.example."],
    (BAD, "TXT"): ['"v=spf1 -all"'],
}
PAGE = "/admin/subscribers/newsletter/"


@pytest.fixture
def petra(settings: Settings) -> Iterator[Client]:
    """A publisher, on a site that sends by SMTP and asks a DNS server of ours."""
    redis_keys.forget()
    settings.EMAIL_TRANSPORT, settings.DKIM_SELECTOR = "smtp", "mail"
    Publication.objects.current()
    Publication.objects.update(sender_address=f"news@{GOOD}")
    with name_server.running(ZONE) as server:
        settings.DNS_SERVER = server.place
        yield signed_in(account("petra", "Publisher"))


def test_while_it_is_typed(petra: Client) -> None:
    fine = petra.get(f"{PAGE}sender/", {"sender_address": f"desk@{GOOD}"}).json()
    assert fine == {"fine": "good.example lets us send in its name: SPF, DKIM and DMARC are in order."}
    assert petra.get(f"{PAGE}sender/").json() == fine, "what is empty is the publication's"
    flaws = petra.get(f"{PAGE}sender/", {"sender_address": f"desk@{BAD}", "reply_to": "a@gone.example"}).json()["flaws"]
    assert len(flaws) == 4
    assert flaws[0] == "bad.example forbids all mail in its name (SPF “-all”)."
    assert flaws[3] == "Replies would go to a@gone.example, but gone.example takes no mail."
    assert "flaws" in petra.get(f"{PAGE}sender/", {"sender_address": "no address"}).json()


def test_when_it_was_saved(petra: Client, newsletter: Newsletter) -> None:
    page = f"{PAGE}{newsletter.pk}/change/"
    form = petra.get(page).context["adminform"].form
    assert form.fields["sender_address"].widget.attrs["data-sender-check"] == f"{PAGE}sender/"
    for sender, warned in ((f"desk@{BAD}", True), (f"desk@{BAD}", False), (f"desk@{GOOD}", False)):
        assert change(petra, page, sender_address=sender) == 302
        assert Newsletter.objects.get().sender_address == sender
        assert ("bad.example forbids all mail" in petra.get(PAGE).content.decode()) is warned


def test_only_those_who_may_change_a_sender_may_ask(newsletter: Newsletter) -> None:
    assert signed_in(account("ed", "Editor")).get(f"{PAGE}sender/").status_code == 403
