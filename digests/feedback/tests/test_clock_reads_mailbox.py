"""Each tick reads the mailbox for returned mail, if one is configured."""

from typing import Any

from digests import tasks
from digests.feedback.tests import mails
from digests.feedback.tests.conftest import copy, reader
from digests.feedback.tests.test_mailbox import account
from digests.models import Delivery, DeliveryEvent
from tests.faults import mailbox_server

__all__ = ["copy", "reader"]


def test_the_clock_reads_the_mailbox_that_is_set(copy: Delivery, settings: Any) -> None:
    with mailbox_server.running([mails.mail("postfix_gone", copy)]) as server:
        settings.RETURNS = account(server.port)
        tasks.tick()
    assert DeliveryEvent.objects.get().kind == "hard_bounce"
