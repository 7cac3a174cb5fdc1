"""No reader sees an old page, while eight processes change what is public and Redis is emptied and killed."""

import itertools
import subprocess

import pytest

from newsroom.running import processes
from publication.models import Publication
from tests.journeys import stage as stages

WRITERS, STORIES = 8, 2
pytestmark = pytest.mark.slow


def test_eight_writers_and_a_redis_that_dies_leave_no_old_page(stage: stages.Stage) -> None:
    Publication.objects.current()
    stage.web()
    other = stages.free_port()
    stage.spawn("other-web", processes.web(other, host="127.0.0.1", workers=2))
    writers = stage.spawn(
        "writers",
        ["tests.faults.page_writers", str(WRITERS), str(STORIES), stage.site, f"http://127.0.0.1:{other}"],
    )

    for turn in itertools.count():
        with_redis = turn % 3 != 2
        if with_redis:
            stage.redis().flushall()
        else:
            stage.stop_redis()
        try:
            writers.wait(1.5)
            break
        except subprocess.TimeoutExpired:
            if not with_redis:
                stage.start_redis()

    printed = (stage.var / "writers-2.log").read_text()
    assert [line for line in printed.splitlines() if line.startswith("http")] == []
    assert writers.returncode == 0, printed
