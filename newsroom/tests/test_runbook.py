"""The pages for operators name every variable, every state and every figure that there is."""

import re

import pytest
from django.conf import settings

from digests.models import Delivery, Issue
from newsroom import metrics

README = (settings.BASE_DIR / "README.md").read_text(encoding="utf-8")
RUNBOOK = (settings.BASE_DIR / "docs" / "runbook.md").read_text(encoding="utf-8")
OPERATIONS = (settings.BASE_DIR / "docs" / "operations.md").read_text(encoding="utf-8")


OF_TESTS = {"TEST_DB_SUFFIX"}


def test_every_variable_has_its_line() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (settings.BASE_DIR / "newsroom").glob("*.py"))
    read = set(re.findall(r"\benv\.\w+\(\s*\"([A-Z_]+)\"", code))
    assert len(read) > 30
    lines = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `")]
    assert read - OF_TESTS <= {name for line in lines for name in re.findall(r"`([A-Z_]+)`", line)}


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
