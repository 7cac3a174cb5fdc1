"""Every provider that EMAIL_URL can name takes our letter with its headers, and the documented table is true."""

from __future__ import annotations

import json
import pkgutil
import re
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from anymail import backends
from django.conf import settings as configured
from django.utils.module_loading import import_string

from mailkit import segments
from newsroom import email_url
from postal import providers
from postal.transports import esp_message
from postal.transports.base import Copy

LETTER = segments.compile(
    headers=[
        ("From", "Die Größten <news@example.com>"),
        ("To", "%%to%%"),
        ("Reply-To", "desk@example.com"),
        ("Subject", "Über alles"),
        ("Date", "%%date%%"),
        ("Message-ID", "%%message_id%%"),
        ("List-Id", "Die Größten <daily.newsletters.example.com>"),
        ("List-Unsubscribe", "<%%unsubscribe_url%%>, <mailto:leave@example.com>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Feedback-ID", "1:daily:digest:example.com"),
        ("Auto-Submitted", "auto-generated"),
        ("Precedence", "bulk"),
    ],
    text="Schöne Grüße. %%unsubscribe_url%%\n",
    html='<p>Schöne Grüße. <a href="%%unsubscribe_url%%">Leave</a></p>\n',
)
# Anymail knows no address for these.
OWN_SERVER = {"postal", "unisender_go"}
UUID = "7e4c1f5e-0000-4000-8000-000000000001"
LINK = "https://news.example.com/unsubscribe/abc/"
MERGE = {"to": "ann@example.com", "date": "x", "message_id": "<x@example.com>", "unsubscribe_url": LINK}
TABLE = (configured.BASE_DIR / "docs" / "providers.md").read_text("utf-8").partition("## Sending")[2]


def request(provider: str, settings: Any) -> requests.PreparedRequest:
    """What would go to the provider for one reader."""
    where = "?api_url=https://api.example.com" if provider in OWN_SERVER else ""
    email = email_url.read(f"anymail+{provider.replace('_', '-')}://key:secret@fr-par{where}")
    settings.ANYMAIL = email.anymail
    backend = import_string(email.backend)()
    copy = Copy(1, UUID, "", "ann@example.com", message=LETTER, merge=MERGE)
    message = esp_message.build([copy], LETTER, provider=provider)
    parameters = backend.build_message_payload(message, {}).get_request_params(backend.api_url)
    return requests.Request(**parameters).prepare()


@pytest.mark.parametrize("provider", sorted(providers.SENDING))
def test_our_letter_can_be_said_to_this_provider(provider: str, settings: Any) -> None:
    body = request(provider, settings).body
    text = body.decode() if isinstance(body, bytes) else str(body)
    sent = json.dumps(dict(parse_qsl(text)) if provider == "mailgun" else json.loads(text), ensure_ascii=False)
    assert "Schöne Grüße" in sent
    assert "List-Unsubscribe=One-Click" in sent
    assert LINK in sent
    assert "auto-generated" in sent
    assert "<daily.newsletters.example.com>" in sent
    assert (UUID in sent) is providers.SENDING[provider].takes_metadata


def row(provider: str) -> list[str]:
    """The provider's line in the table, by cell."""
    row = re.search(rf"^\|[^|]*\| `anymail\+{provider.replace('_', '-')}://[^|]*\|(.*)\|$", TABLE, re.MULTILINE)
    assert row, f"docs/providers.md says nothing of {provider}"
    return [cell.strip() for cell in row[1].split("|")]


@pytest.mark.parametrize("provider", sorted(providers.SENDING))
def test_the_table_is_true(provider: str) -> None:
    call, tracking, metadata, repeats = row(provider)
    sending = providers.SENDING[provider]
    assert call.startswith(f"{sending.most_per_call:,} reader")
    assert (tracking == "off") is sending.switches_tracking_off
    assert (metadata == "the copy's uuid") is sending.takes_metadata
    assert (repeats != "–") is bool(sending.idempotency_header)


REPORTS = TABLE.partition("## Set up")[2].partition("## What it answers")[0]


def test_the_table_of_reports_is_true() -> None:
    rows = re.findall(r"^\| ([^|`]+?) (?:\([^|]*\) )?\| `/webhooks/(\w+)/` \| ([^|]*) \|$", REPORTS, re.MULTILINE)
    assert [name for _, name, _ in rows] == sorted(providers.REPORTING)
    for label, name, signature in rows:
        reports = providers.REPORTING[name]
        assert label == providers.PROVIDERS[name].label
        assert set(re.findall(r"`([A-Z_]+)`", signature)) - {"WEBHOOK_SECRET"} == set(reports.variables)
        assert signature.startswith("required: ") is reports.needs_signature
        assert ("`WEBHOOK_SECRET`" in signature) is not reports.needs_signature
    silent = [provider.label for provider in providers.PROVIDERS.values() if provider.reports is None]
    assert all(f"{label} reports nothing" in REPORTS for label in silent)


def test_no_provider_of_anymails_is_passed_over() -> None:
    known = {module.name for module in pkgutil.iter_modules(backends.__path__)}
    others = known - providers.SENDING.keys() - {"base", "base_requests", "console", "test", "sendinblue"}
    assert others == {"amazon_ses", "sendgrid"}
    assert "Amazon SES and SendGrid, which Anymail also knows, are not offered here" in TABLE


def test_only_who_merges_takes_several_readers_in_a_call() -> None:
    for sending in providers.SENDING.values():
        assert (sending.merge_field is not None) is (sending.most_per_call > 1)
