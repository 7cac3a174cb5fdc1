"""Certificates for servers that speak TLS."""

import shutil
import subprocess
from pathlib import Path

import pytest

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def for_localhost(folder: Path) -> Path:
    """A certificate for localhost that signs itself, its key in the same file; without openssl the test is skipped."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, so no certificate can be made")
    path, key = folder / "localhost.pem", folder / "localhost.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [openssl, "req", "-x509", "-days", "2", *CURVE, "-keyout", str(key), "-out", str(path), *subject]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(key.read_text() + path.read_text())
    return path
