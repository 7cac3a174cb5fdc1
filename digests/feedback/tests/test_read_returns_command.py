"""manage.py read_returns: one pass with a line and an exit code, or passes until it is stopped."""

import os
import signal
import subprocess
import sys
import time
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command

from digests.feedback.tests import mails
from digests.feedback.tests.test_mailbox import account
from digests.models import Delivery
from tests.faults import mailbox_server


def test_one_pass_is_one_line(copy: Delivery, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    raw = [mails.mail(name, copy) for name in ("postfix_gone", "postfix_gone", "ignored_reply")]
    with mailbox_server.running(raw) as server:
        settings.RETURNS = account(server.port)
        call_command("read_returns")
    assert capsys.readouterr().out == "1 events, 0 unsubscribed, 1 replies, 1 repeated, 0 ignored.\n"


@pytest.mark.django_db
def test_a_mailbox_that_is_away_or_not_set_is_an_error(settings: Any) -> None:
    settings.RETURNS = account(1)
    with pytest.raises(CommandError, match="could not be read"):
        call_command("read_returns")
    settings.RETURNS = None
    with pytest.raises(CommandError, match="RETURNS_URL"):
        call_command("read_returns")


@pytest.mark.slow
def test_watching_goes_on_until_it_is_stopped() -> None:
    with mailbox_server.running([b"Subject: x\r\n\r\n"]) as server:
        url = f"imap://{mailbox_server.USER}:{quote(mailbox_server.PASSWORD)}@127.0.0.1:{server.port}"
        environment = os.environ | {"RETURNS_URL": url}
        environment.pop("PYTEST_VERSION", None)
        command = [sys.executable, "manage.py", "read_returns", "--watch", "1"]
        with subprocess.Popen(command, cwd=configured.BASE_DIR, env=environment) as process:
            deadline = time.monotonic() + 120
            while server.commands.count("LOGOUT") < 2 and time.monotonic() < deadline:
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    assert server.commands.count("LOGOUT") >= 2
    assert [mail.flags for mail in server.mails] == [{"NewsroomSeen"}]
