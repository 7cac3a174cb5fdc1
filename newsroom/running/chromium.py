"""Finds a Chromium for the browser tests, or fetches Debian's where that is possible."""

import os
import shutil
import subprocess

# The first has no windows: it starts with fewer processes and takes less of the processor for the same pages.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING = "BROWSER TESTS ARE SKIPPED: no Chromium on this machine; install it, or set CHROMIUM to its path."


def find() -> str | None:
    """The path of a Chromium: CHROMIUM if set, else the first known name on the PATH."""
    chosen = os.environ.get("CHROMIUM")
    return shutil.which(chosen) if chosen else next(filter(None, map(shutil.which, NAMES)), None)


def obtain() -> str | None:
    """The path of a Chromium, installed by apt-get if this user may do that; None if there is none to be had."""
    browser, apt = find(), shutil.which("apt-get")
    if browser or not apt or os.geteuid() != 0:
        return browser
    _run(apt, "update")
    for package in NAMES[:2]:
        _run(apt, "install", "-y", "--no-install-recommends", package)
        if browser := find():
            break
    return browser


def _run(apt: str, *arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = [apt, "-qq", *arguments]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
