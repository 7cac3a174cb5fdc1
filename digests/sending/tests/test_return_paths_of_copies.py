"""Which envelope sender each copy leaves with."""

import uuid
from typing import Any

import pytest

from digests.sending import merge
from digests.sending.tests.conftest import frozen_issue
from postal import return_paths
from subscribers.models import Newsletter

# The sender is the one that the issue was frozen with.
DOMAIN, SENDER = "bounces.blocknews.example", "news@example.com"


@pytest.mark.django_db
def test_every_copy_leaves_with_its_own(newsletter: Newsletter, settings: Any) -> None:
    settings.RETURN_DOMAIN = DOMAIN
    issue = frozen_issue(newsletter)
    rows = [merge.Row(n, str(uuid.uuid4()), str(uuid.uuid4()), f"r{n}@readers.example", "", 1) for n in range(3)]
    built, _ = merge.Merger(issue, needs="payload").copies(rows=rows)
    named = [return_paths.read(return_paths.tokens_in(one.envelope_from)[0]) for one in built]
    assert [str(one) for one in named] == [row.delivery_uuid for row in rows]
    assert {one.envelope_from.partition("@")[2] for one in built} == {DOMAIN}


@pytest.mark.django_db
@pytest.mark.parametrize(("needs", "domain"), [("payload", ""), ("merge", DOMAIN)])
def test_without_a_domain_or_at_a_provider_the_sender_stays(
    newsletter: Newsletter, settings: Any, needs: Any, domain: str
) -> None:
    settings.RETURN_DOMAIN = domain
    row = merge.Row(1, str(uuid.uuid4()), str(uuid.uuid4()), "r@readers.example", "", 1)
    built, _ = merge.Merger(frozen_issue(newsletter), needs=needs).copies(rows=[row])
    assert [one.envelope_from for one in built] == [SENDER]
