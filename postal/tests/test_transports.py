"""EMAIL_URL decides how copies leave; on a laptop they become files."""

from pathlib import Path
from typing import Any

import pytest

from postal import transports
from postal.leases import Lease
from postal.tests import driving
from postal.transports.base import Copy
from postal.transports.esp import EspTransport
from postal.transports.local import LocalTransport
from postal.transports.smtp import SmtpTransport


@pytest.mark.parametrize(("name", "kind"), [("local", LocalTransport), ("smtp", SmtpTransport), ("esp", EspTransport)])
def test_the_setting_names_the_transport(settings: Any, name: str, kind: type) -> None:
    settings.EMAIL_TRANSPORT = name
    settings.EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
    assert isinstance(transports.for_settings(lease=Lease()), kind)


def test_a_local_copy_is_a_file(settings: Any, tmp_path: Path) -> None:
    settings.LOCAL_MAIL_DIR = tmp_path
    transport = LocalTransport(lease=Lease())
    batch = [Copy(n, "uuid", "b@example.com", f"r{n}@example.com", b"Subject: x\r\n\r\nText\r\n") for n in range(3)]
    outcomes = list(driving.outcomes_of(transport, batch))
    assert [(one.delivery_id, one.state) for one in outcomes] == [(n, "accepted") for n in range(3)]
    assert len(list(tmp_path.rglob("*.eml"))) == 3


def test_a_file_that_cannot_be_written_defers_the_copy(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings.LOCAL_MAIL_DIR = tmp_path / "file"
    [outcome] = driving.outcomes_of(
        LocalTransport(lease=Lease()), [Copy(1, "uuid", "b@example.com", "r@example.com", b"x")]
    )
    assert (outcome.state, outcome.about_us) == ("deferred", True)
    assert "@" not in outcome.reason
