"""Probes and figures, as machines ask for them."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_answer_any_host_over_plain_http(client: Client, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = client.get(path, headers={"host": "10.1.2.3"})
    assert response.status_code == 200
    assert not response.cookies


def test_other_pages_do_not_answer_any_host(client: Client) -> None:
    assert client.get("/metrics", headers={"host": "evil.test"}).status_code == 400


def test_a_redis_that_is_away_is_not_ready_but_alive(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get("/readyz")
    assert (response.status_code, response.json()["redis"], response.json()["database"]) == (503, "failed", "ok")
    assert client.get("/healthz").status_code == 200


def test_figures_are_prometheus_text(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    response = client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    names = {line.split("{")[0].split(" ")[0] for line in response.text.splitlines() if not line.startswith("#")}
    assert "newsroom_letters_oldest_seconds" in names
    assert "@" not in response.text


def test_in_production_figures_need_their_token(client: Client, settings: Settings) -> None:
    settings.DEBUG, settings.METRICS_TOKEN = False, ""
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404
    settings.METRICS_TOKEN = "opens"
    assert client.get("/metrics", headers={"authorization": "Bearer other"}).status_code == 404
    assert client.get("/metrics", headers={"authorization": "Bearer opens"}).status_code == 200
