"""The pages for operators name every state and every figure that there is."""

import re

import pytest
from django.conf import settings

from digests.models import Delivery, Issue
from newsroom import metrics

RUNBOOK = (settings.BASE_DIR / "docs" / "runbook.md").read_text(encoding="utf-8")
OPERATIONS = (settings.BASE_DIR / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("states", [Issue.State, Delivery.State])
def test_every_state_has_its_line(states: type[Issue.State] | type[Delivery.State]) -> None:
    lines = [line.split("|")[1] for line in RUNBOOK.splitlines() if line.startswith("| `")]
    named = {word for line in lines for word in re.findall(r"`(\w+)`", line)}
    assert set(states.values) <= named


@pytest.mark.django_db
def test_every_figure_is_described() -> None:
    there = set(re.findall(r"^# TYPE (\w+)", metrics.text(), re.MULTILINE))
    rows = "".join(line.split("|")[1] for line in OPERATIONS.splitlines() if line.startswith("| `newsroom_"))
    assert there == set(re.findall(r"`(newsroom_\w+)[`{]", rows))
