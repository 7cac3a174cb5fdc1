"""A reader's copy: what it shares with all others, and what is its own."""

from email.utils import formataddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests.sending import merge
from digests.sending.tests.conftest import frozen_issue
from subscribers import links
from subscribers.models import Newsletter


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
        # No reader has such an address: it is refused at sign-up.
        assert not address.isascii()
    else:
        assert merge._mailbox(name, address) == (address if "=?" in name else expected)
