"""Which requests /webhooks/<provider>/ accepts."""

import pytest
from django.conf import LazySettings
from django.test import Client

from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from postal import providers
from subscribers.models import Newsletter

SECRET = "hook:very-secret"
pytestmark = pytest.mark.filterwarnings("ignore:django-anymail has dropped official support")


@pytest.fixture
def client_with_csrf() -> Client:
    """A client for which CSRF checks are enforced, as for a browser."""
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_a_provider_that_does_not_exist_is_not_found(client_with_csrf: Client, db: None, method: str) -> None:
    assert getattr(client_with_csrf, method)("/webhooks/nobody/").status_code == 404


@pytest.mark.parametrize("provider", providers.REPORTING)
def test_a_provider_that_could_not_be_verified_is_refused(
    client_with_csrf: Client, db: None, settings: LazySettings, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ANYMAIL = {}

    response = client_with_csrf.post(f"/webhooks/{provider}/", {}, content_type="application/json")

    assert response.status_code == 403
    assert "set WEBHOOK_SECRET" in caplog.text
    assert DeliveryEvent.objects.count() == 0


@pytest.mark.parametrize("provider", providers.REPORTING)
def test_no_provider_takes_a_wrong_secret_or_causes_a_server_error(
    client_with_csrf: Client, db: None, settings: LazySettings, provider: str
) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}

    response = client_with_csrf.post(
        f"/webhooks/{provider}/", {}, content_type="application/json", headers={"Authorization": "Basic aG9vazpubw=="}
    )

    # 403: a key or a package without which this provider cannot be verified is not there.
    assert response.status_code in {400, 403}
    assert DeliveryEvent.objects.count() == 0


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Bearer x", "Basic /w==", ""])
def test_odd_credentials_are_wrong_credentials(
    client_with_csrf: Client, db: None, settings: LazySettings, header: str
) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}

    response = client_with_csrf.post(
        "/webhooks/postmark/", {}, content_type="application/json", headers={"Authorization": header}
    )

    assert response.status_code == 400


def test_a_name_may_be_written_with_a_hyphen(client_with_csrf: Client, db: None, settings: LazySettings) -> None:
    settings.ANYMAIL = {}

    assert client_with_csrf.post("/webhooks/unisender-go/").status_code == 403


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete"])
@pytest.mark.parametrize("provider", ["mailgun", "postmark", "unisender_go"])
def test_nothing_but_a_post_writes(
    client_with_csrf: Client, settings: LazySettings, newsletter: Newsletter, provider: str, method: str
) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET, "MAILGUN_API_KEY": "k", "UNISENDER_GO_API_KEY": "k"}
    copies.copy(copies.issue(newsletter), copies.reader(newsletter), Delivery.State.UNCERTAIN)

    response = getattr(client_with_csrf, method)(
        f"/webhooks/{provider}/", headers={"Authorization": "Basic aG9vazp2ZXJ5LXNlY3JldA=="}
    )

    assert response.status_code in {200, 405}
    assert DeliveryEvent.objects.count() == 0
