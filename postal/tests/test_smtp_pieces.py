"""A copy leaves in pieces, most of which it shares with all others, and arrives as if it had been one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal import config
from postal.tests import driving
from postal.tests.test_smtp_sessions import certificate, transport
from postal.transports import wire
from postal.transports.base import Copy
from tests.faults import smtp_server

__all__ = ["certificate"]


@given(st.lists(st.tuples(st.lists(st.binary(min_size=1, max_size=9), max_size=5), st.integers(0, 40))))
def test_what_is_written_in_pieces_leaves_in_order(steps: list[tuple[list[bytes], int]]) -> None:
    outgoing, whole = wire.Outgoing(), bytearray()
    for pieces, wanted in steps:
        outgoing.add(pieces, sum(map(len, pieces)))
        whole += b"".join(pieces)
        assert outgoing.first(wanted) == whole[:wanted]
        gone = min(wanted, len(whole))
        outgoing.drop(gone)
        del whole[:gone]
        assert (bytes(outgoing), len(outgoing)) == (bytes(whole), len(whole))


@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_more_pieces_and_bytes_than_the_kernel_takes_at_once(
    certificate: Path, tls: config.Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    pieces = [b"Subject: x\r\n\r\n", *(b"%04d" % n + b"x" * 196 + b"\r\n" for n in range(2_500))]
    copies = [Copy(n, f"uuid-{n}", "b@example.com", f"r{n}@example.com", stuffed=pieces) for n in range(2)]
    with smtp_server.running(certificate=certificate, implicit_tls=tls == "implicit") as server:
        sender = transport(server.port, tls=tls)
        outcomes = list(driving.outcomes_of(sender, copies))
        sender.close()
    assert [one.state for one in outcomes] == ["accepted", "accepted"]
    assert set(server.messages) == {b"".join(pieces)}
