"""A NUL in an address of the admin, where PostgreSQL would choke on it, is refused in a sentence."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

LISTS = [
    reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in admin.site._registry
]


@pytest.mark.parametrize("path", LISTS)
def test_no_list_fails(client: Client, path: str) -> None:
    for query in ("?q=a%00b", "?id__exact=%00", "?%00=1", "?o=%00", "?p=%00"):
        response = client.get(path + query)
        assert (response.status_code, response.content.count(b"\n")) == (400, 1), query
        assert b"%00" in response.content
        assert "Content-Security-Policy" in response.headers


def test_neither_does_a_row_nor_a_search_while_typing(client: Client) -> None:
    assert client.get("/admin/articles/article/%00/change/").status_code == 400
    assert client.get("/admin/autocomplete/?term=%00&app_label=articles").status_code == 400


def test_the_sign_itself_may_be_searched_for(admin_client: Client) -> None:
    assert admin_client.get("/admin/articles/article/?q=100%2500").status_code == 200


@pytest.mark.django_db
def test_readers_may_type_what_they_like(client: Client) -> None:
    assert client.get("/search/?q=gold%00").status_code == 200
