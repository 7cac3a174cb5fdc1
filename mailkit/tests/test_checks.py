"""Mistakes of configuration are reported at the start, with an id and a hint."""

import os
from pathlib import Path

import pytest
from pytest_django import Settings

from mailkit import checks


def test_a_folder_that_is_still_missing_is_fine(settings: Settings, tmp_path: Path) -> None:
    settings.EMAIL_TRANSPORT = "local"
    settings.LOCAL_MAIL_DIR = tmp_path / "a" / "b"
    assert checks.local_mail_can_be_kept() == []


def test_a_file_in_the_way_is_an_error(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    settings.EMAIL_TRANSPORT = "local"
    settings.LOCAL_MAIL_DIR = tmp_path / "file"
    [message] = checks.local_mail_can_be_kept()
    assert message.id == "mailkit.E001"
    settings.EMAIL_TRANSPORT = "smtp"
    assert checks.local_mail_can_be_kept() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_an_error(settings: Settings, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    settings.EMAIL_TRANSPORT = "local"
    settings.LOCAL_MAIL_DIR = tmp_path / "mail"
    assert [message.id for message in checks.local_mail_can_be_kept()] == ["mailkit.E001"]


@pytest.mark.parametrize(
    ("debug", "deny", "ids"), [(False, False, ["mailkit.W002"]), (False, True, []), (True, False, [])]
)
def test_reserved_domains_in_production(settings: Settings, debug: bool, deny: bool, ids: list[str]) -> None:
    settings.DEBUG, settings.ADDRESS_DENY_RESERVED = debug, deny
    assert [message.id for message in checks.undeliverable_domains_are_refused()] == ids


@pytest.mark.parametrize(("seconds", "ids"), [(5, []), (0, ["mailkit.E003"]), (600, ["mailkit.E003"])])
def test_the_time_limit_of_markup(settings: Settings, seconds: float, ids: list[str]) -> None:
    settings.MARKUP_SECONDS = seconds
    assert [message.id for message in checks.markup_has_a_time_limit()] == ids
