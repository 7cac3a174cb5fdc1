"""A copy leaves in pieces, most of which it shares with all others, and arrives as if it had been one."""

from email.utils import formataddr
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests.sending import merge
from digests.sending.tests.conftest import frozen_issue
from postal import config
from postal.tests.test_smtp_sessions import certificate, transport
from postal.transports import wire
from postal.transports.base import Copy
from subscribers import links
from subscribers.models import Newsletter
from tests.faults import smtp_server

__all__ = ["certificate"]


def rows(count: int) -> list[merge.Row]:
    uuids = [f"{number:08}-0000-4000-8000-000000000000" for number in range(2 * count)]
    return [merge.Row(n, uuids[n], uuids[count + n], f"r{n}@readers.example", f"Reader {n}", 1) for n in range(count)]


@pytest.mark.django_db
def test_copies_share_what_is_the_same_for_all(newsletter: Newsletter) -> None:
    merger = merge.Merger(frozen_issue(newsletter, text="Read this. " * 1000), needs="stuffed")
    (first, second), _ = merger.copies(rows=rows(2))
    shared = {id(piece): len(piece) for piece in first.stuffed} | {id(piece): 0 for piece in second.stuffed}
    own = sum(shared.values())
    assert b"".join(first.stuffed) != b"".join(second.stuffed)
    assert own < 1_000 < sum(map(len, first.stuffed))


@pytest.mark.django_db
def test_the_tokens_of_many_readers_are_each_read_back(newsletter: Newsletter) -> None:
    merger = merge.Merger(frozen_issue(newsletter), needs="merge")
    for row in rows(3):
        payload = links._read(merger.values(row)["unsubscribe_token"], purpose=links.UNSUBSCRIBE, max_age=None)
        assert payload == {"s": row.subscriber_uuid.replace("-", ""), "n": newsletter.pk}


@given(st.text(max_size=20) | st.text("ab -,.'\"@\\=?_", max_size=12), st.sampled_from(["r@a.example", "ü@a.example"]))
def test_a_mailbox_is_what_formataddr_makes_of_it(name: str, address: str) -> None:
    try:
        expected = formataddr((name, address))
    except UnicodeError:
        # No reader has such an address: it is refused at the door.
        assert not address.isascii()
    else:
        assert merge._mailbox(name, address) == (address if "=?" in name else expected)


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
def test_more_pieces_and_octets_than_the_kernel_takes_at_once(
    certificate: Path, tls: config.Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    pieces = [b"Subject: x\r\n\r\n", *(b"%04d" % n + b"x" * 196 + b"\r\n" for n in range(2_500))]
    copies = [Copy(n, f"uuid-{n}", "b@example.com", f"r{n}@example.com", stuffed=pieces) for n in range(2)]
    with smtp_server.running(certificate=certificate, implicit_tls=tls == "implicit") as server:
        sender = transport(server.port, tls=tls)
        outcomes = list(sender.hand_over(copies))
        sender.close()
    assert [one.state for one in outcomes] == ["accepted", "accepted"]
    assert set(server.messages) == {b"".join(pieces)}
