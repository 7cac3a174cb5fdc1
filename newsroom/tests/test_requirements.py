"""Only the files whose hashes were recorded are installed, on any promised Python and system."""

import re
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from newsroom.running import prepare

pytestmark = pytest.mark.slow

NAMES = ["requirements", "requirements-dev"]
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n"


def pinned(name: str) -> dict[str, list[str]]:
    """The requirement before its marker -> the lines of its hashes."""
    lines = (prepare.ROOT / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    hashes: dict[str, list[str]] = {}
    for line in (line for line in lines if line.strip() and not line.strip().startswith("#")):
        if not line.startswith(" "):
            hashes[line.split(";")[0].rstrip(" \\")] = []
        else:
            hashes[list(hashes)[-1]].append(line.strip(" \\"))
    return hashes


def canonical(requirement: str) -> str:
    """A requirement with its name in the spelling of pinned files, which name no extras."""
    name, _, version = re.sub(r"\[.*\]", "", requirement).partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


@pytest.mark.parametrize("name", NAMES)
def test_each_pinned_requirement_has_the_hashes_of_its_files(name: str) -> None:
    without = [requirement for requirement, hashes in pinned(name).items() if not hashes or "==" not in requirement]
    wrong = [line for hashes in pinned(name).values() for line in hashes if not line.startswith("--hash=sha256:")]
    assert (without, wrong) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_the_pinned_file_was_written_after_the_last_change_of_the_direct_one(name: str) -> None:
    lines = (prepare.ROOT / f"{name}.in").read_text(encoding="utf-8").splitlines()
    direct = {canonical(line) for line in lines if "==" in line}
    assert direct
    assert direct <= set(pinned(name)), "run bin/lock"


def test_the_tests_run_on_what_the_product_runs_on() -> None:
    assert pinned("requirements").items() <= pinned("requirements-dev").items(), "run bin/lock"


@pytest.mark.parametrize("name", NAMES)
def test_no_index_and_no_place_of_a_machine_is_named(name: str) -> None:
    assert "/" not in (prepare.ROOT / f"{name}.txt").read_text(encoding="utf-8").replace("bin/lock", "")


def test_a_package_whose_hash_differs_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wheel = make_wheel(tmp_path)
    place = installation(tmp_path, monkeypatch)
    for sum_ in ("", " --hash=sha256:" + "0" * 64):
        (tmp_path / "requirements.txt").write_text(f"tiny @ {wheel.as_uri()}{sum_}\n", encoding="utf-8")
        with pytest.raises(SystemExit, match="could not be installed"):
            prepare.install("requirements.txt")
        assert not place.exists()
    assert "DO NOT MATCH THE HASHES" in capfd.readouterr().err

    right = sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "requirements.txt").write_text(f"tiny @ {wheel.as_uri()} --hash=sha256:{right}\n", encoding="utf-8")
    prepare.install("requirements.txt")
    assert (place / "tiny.py").exists()


def make_wheel(directory: Path) -> Path:
    """A package of one empty module."""
    wheel = directory / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.dist-info/METADATA", METADATA)
        archive.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.dist-info/RECORD", "")
    return wheel


def installation(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lets the installation go to a directory of the test, by this Python's own pip; returns that directory."""
    monkeypatch.setattr(prepare, "ROOT", directory)
    monkeypatch.setattr(prepare, "VENV", directory)
    monkeypatch.setattr(prepare, "PYTHON", Path(sys.executable))
    monkeypatch.setenv("PIP_TARGET", str(directory / "installed"))
    (directory / "pyvenv.cfg").write_text("", encoding="utf-8")
    return directory / "installed"
