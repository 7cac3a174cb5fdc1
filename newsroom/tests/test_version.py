"""There is one version, and the changelog, the metrics and the command line show it."""

import re

import pytest
from django.conf import settings

from newsroom import metrics, version
from newsroom.running import serve


def test_the_changelog_begins_with_it() -> None:
    changelog = (settings.BASE_DIR / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\d\S*)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == version.VERSION


@pytest.mark.django_db
def test_metrics_and_the_command_line_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert f'newsroom_build_info{{version="{version.VERSION}"}} 1.0' in metrics.text()
    with pytest.raises(SystemExit) as ended:
        serve.main(["--version"])
    assert (ended.value.code, capsys.readouterr().out.strip()) == (0, version.VERSION)
