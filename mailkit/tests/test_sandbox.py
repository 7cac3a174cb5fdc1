"""A child process has limits, and nothing of ours."""

import os
import time
from pathlib import Path

import pytest

from mailkit import sandbox

pytestmark = pytest.mark.sandboxed

CHILD = """
from mailkit import sandbox

def respond(request, payload):
    {body}

sandbox.serve(respond)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Child":
    monkeypatch.setattr(sandbox, "BOOT", f"import sys; sys.path.append({str(tmp_path)!r}); {sandbox.BOOT}")
    return Child(tmp_path)


class Child:
    """Writes a module with one `respond` and runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self, body: str, *, payload: bytes = b"", seconds: float = 10, megabytes: int = 256
    ) -> tuple[object, bytes]:
        (self.folder / "sandboxed_test_child.py").write_text(CHILD.format(body=body))
        return sandbox.run(
            module="sandboxed_test_child", request={"n": 1}, payload=payload, seconds=seconds, megabytes=megabytes
        )


def test_answers_with_what_the_module_returns(child: Child) -> None:
    payload = bytes(range(256)) * 1000
    assert child.run("return {'n': request['n'] + 1}, payload[::-1]", payload=payload) == ({"n": 2}, payload[::-1])


def test_is_killed_when_its_time_is_over(child: Child) -> None:
    begun = time.monotonic()
    with pytest.raises(sandbox.TimedOut):
        child.run("import time; time.sleep(600)", seconds=0.7)
    assert time.monotonic() - begun < 300


def test_spinning_ends_without_its_parent(child: Child) -> None:
    """The parent may be killed first; the processor's limit then ends the child."""
    limits = "import resource; return {'cpu': resource.getrlimit(resource.RLIMIT_CPU)[1]}, b''"
    assert child.run(limits, seconds=5)[0] == {"cpu": 6}


def test_cannot_take_all_memory(child: Child) -> None:
    with pytest.raises(sandbox.Failed):
        child.run("return {'n': len(bytearray(400_000_000))}, b''", megabytes=256)


def test_cannot_write_files(child: Child, tmp_path: Path) -> None:
    target = tmp_path / "written"
    with pytest.raises(sandbox.Failed):
        child.run(f"open({str(target)!r}, 'wb').write(b'x' * 100_000); return {{}}, b''")
    assert not target.exists() or target.stat().st_size == 0


def test_knows_no_secret_of_ours(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "the secret")
    environment, _body = child.run(
        "import os, sys; return {'env': dict(os.environ), 'isolated': sys.flags.isolated}, b''"
    )
    assert isinstance(environment, dict)
    assert environment["isolated"] == 1
    assert "the secret" in os.environ.values()
    assert "the secret" not in environment["env"].values()


def test_a_fault_is_told_without_the_input(child: Child) -> None:
    with pytest.raises(sandbox.Failed) as caught:
        child.run("raise ValueError(payload)", payload=b"private")
    assert "private" not in str(caught.value)


def test_a_child_that_was_started_ahead_serves_one_request_and_knows_no_more_than_others(child: Child) -> None:
    respond = "import os; return {'n': request['n'], 'pid': os.getpid(), 'env': len(os.environ)}, payload"
    first, _body = child.run(respond)
    module = "sandboxed_test_child"
    sandbox.prepare(module=module)
    sandbox.prepare(module=module)
    _started, spare = sandbox._spares[module]
    second, body = child.run(respond, payload=b"words")
    third, _body = child.run(respond)
    assert (second["pid"], body, module in sandbox._spares) == (spare.pid, b"words", False)  # type: ignore[index]  # the response is typed as any object
    assert third["pid"] not in {first["pid"], spare.pid}  # type: ignore[index]  # as above
    assert second["env"] == first["env"]  # type: ignore[index]  # as above


def test_a_child_that_was_started_ahead_has_the_same_limits(child: Child) -> None:
    child.run("return {}, b''")
    for body, refusal in (
        ("import time; time.sleep(600)", sandbox.TimedOut),
        ("bytearray(400_000_000)", sandbox.Failed),
    ):
        (child.folder / "sandboxed_test_child.py").write_text(CHILD.format(body=body))
        sandbox.prepare(module="sandboxed_test_child")
        with pytest.raises(refusal):
            child.run(body, seconds=0.7 if refusal is sandbox.TimedOut else 10)
