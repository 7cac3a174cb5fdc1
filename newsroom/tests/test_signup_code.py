"""A newsletter's sign-up on other sites: the code works as it is copied, and the desk shows how it looks there."""

import pytest
from bs4 import BeautifulSoup
from django.conf import settings
from django.test import Client

from subscribers.models import LegalVersion, Newsletter, Subscriber
from tests.cast import Staff, make_newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db


def page_of(newsletter: Newsletter) -> str:
    return f"/admin/newsletters/{newsletter.pk}/"


def code(client: Client, newsletter: Newsletter, kind: str) -> BeautifulSoup:
    """What the field on the newsletter's page has to be copied."""
    page = BeautifulSoup(client.get(page_of(newsletter)).content.decode(), "html5lib")
    field = page.find(id=f"code-{kind}")
    assert field is not None
    return BeautifulSoup(field.get_text(), "html5lib")


def test_the_copied_form_leads_from_another_site_to_the_terms(
    staff: Staff, newsletter: Newsletter, texts: list[LegalVersion]
) -> None:
    make_newsletter("Money")
    form = code(staff("Editor"), newsletter, "form").form
    assert form is not None
    assert (form["method"], form["action"]) == ("post", f"{settings.SITE_URL}/subscribe/")
    fields = {str(field["name"]): str(field.get("value", "rita@reader.org")) for field in form.find_all("input")}
    response = Client(enforce_csrf_checks=True).post(
        "/subscribe/", fields, headers={"Origin": "https://elsewhere.test"}
    )
    assert response.status_code == 200
    step = BeautifulSoup(response.content, "html5lib")
    ticked = [each["value"] for each in step.select('input[name="newsletters"][checked]')]
    assert ticked == [newsletter.slug]
    assert not Subscriber.objects.exists()


@rows(("kind", "selector"), [("form", "form input[type=email]"), ("card", "iframe"), ("link", "a")])
def test_the_desk_shows_it_on_a_page_on_which_nothing_acts(
    staff: Staff, newsletter: Newsletter, kind: str, selector: str
) -> None:
    editor = staff("Editor")
    assert code(editor, newsletter, kind).select_one(selector) is not None
    response = editor.get(f"{page_of(newsletter)}elsewhere/{kind}/")
    shown = BeautifulSoup(response.content, "html5lib").select_one(f"body {selector}")
    assert shown is not None
    if kind == "card":
        assert shown["src"] == f"/newsletters/{newsletter.slug}/embed/", "from here, whatever the site is called"
    policy = response["Content-Security-Policy"]
    assert "script-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-forms" not in policy
    assert editor.get(f"{page_of(newsletter)}elsewhere/poster/").status_code == 404


def test_it_is_in_the_language_of_the_newsletter(staff: Staff, newsletter: Newsletter) -> None:
    Newsletter.objects.update(language="ru")
    assert "Продолжить" in code(staff("Editor"), newsletter, "form").get_text()


def test_a_closed_newsletter_offers_no_code(staff: Staff, newsletter: Newsletter) -> None:
    Newsletter.objects.update(is_open=False)
    page = staff("Editor").get(page_of(newsletter)).content.decode()
    assert "closed to new readers" in page
    assert "code-form" not in page
