"""The HTML of an issue stays below Gmail's clipping limit, whatever the number and length of its stories."""

import email
import email.policy
import re
import uuid
from datetime import datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from articles.models import Article, Section
from digests import composing, freezing, mail_size, rendering
from digests.models import Issue
from digests.sending import merge
from subscribers.models import Cadence, Newsletter
from tests.cast import Publish
from tests.table import rows

pytestmark = pytest.mark.django_db

SCRIPTS = {
    "latin": "The central bank keeps its rate, and says why. ",
    "cyrillic": "Национальный банк сохранил учётную ставку. ",
    "chinese": "中央银行维持利率不变并说明了理由。",
    "emoji": "🏔️🚂📈 ",
}


def stories(section: Section, count: int, now: datetime, *, words: str = "A story. ", **fields: str) -> None:
    """Public stories with a headline and a standfirst of the words."""
    Article.objects.bulk_create(
        Article(
            headline=f"{number} {words * 20}"[:180],
            slug=f"number-{number}",
            standfirst=(words * 30)[:480],
            section=section,
            state=Article.State.PUBLISHED,
            published_at=now - timedelta(seconds=number),
            first_published_at=now - timedelta(seconds=number),
            body_sha256="0" * 64,
            **fields,
        )
        for number in range(count)
    )


def composed(newsletter: Newsletter, now: datetime) -> Issue:
    return composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)


def instant(newsletter: Newsletter, story: Article, now: datetime) -> Issue:
    return composing.compose_article_issue(newsletter=newsletter, article=story, now=now)


def html_part(issue: Issue, now: datetime) -> tuple[bytes, str]:
    """The HTML of a reader's copy: as it goes over the wire, and decoded."""
    freezing.freeze(issue=issue, now=now)
    issue = Issue.objects.select_related("newsletter", "snapshot").get(pk=issue.pk)
    row = merge.Row(1, str(uuid.UUID(int=7)), str(uuid.UUID(int=8)), "reader@blocknews.example", "", 32_767)
    [copy], _broken = merge.Merger(issue, needs="payload").copies(rows=[row])
    assert copy.payload is not None
    raw = copy.payload.split(b'Content-Type: text/html; charset="utf-8"')[1].rpartition(b"\r\n--")[0]
    body = email.message_from_bytes(copy.payload, policy=email.policy.SMTP).get_body(("html",))
    assert body is not None
    return raw, body.get_content()


def check_size(issue: Issue, now: datetime) -> str:
    """The HTML, after a check that Gmail shows all of it, by either way of counting."""
    raw, html = html_part(issue, now)
    assert len(raw) < mail_size.LIMIT
    assert len(html.encode()) < mail_size.LIMIT
    assert "/unsubscribe/" in html
    assert html.rstrip().endswith("</html>")
    return html


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("count", [1, 24, 300])
def test_a_digest_of_any_number_of_stories_in_any_script(
    newsletter: Newsletter, section: Section, now: datetime, script: str, count: int
) -> None:
    Newsletter.objects.update(stories_in_full=50)
    stories(section, count, now, words=SCRIPTS[script])
    check_size(composed(Newsletter.objects.get(), now), now)
    # The room is used, not only kept.
    assert count == 1 or len(html_part(Issue.objects.get(), now)[0]) > 80_000


def test_the_first_stories_are_in_full_then_come_headlines_then_a_number(
    newsletter: Newsletter, section: Section, now: datetime
) -> None:
    Newsletter.objects.update(stories_in_full=3)
    stories(section, 100, now, words="Short. ")
    issue = composed(Newsletter.objects.get(), now)
    written = rendering.render(issue=issue, now=now)
    page = BeautifulSoup(written.html, "html5lib")
    linked = [str(link["href"]) for link in page.find_all("a") if "/articles/" in str(link["href"])]
    assert written.text.count("\nNews\nhttp") == 3
    headlines = len(set(linked)) - 3
    assert headlines == 30
    more = 100 - 3 - headlines
    assert f"and {more} more stories" in page.get_text()
    assert f"and {more} more stories:\nhttp" in written.text
    assert linked[-1].endswith(f"/articles/number-{headlines + 2}/")
    assert issue.items.filter(included=True).count() == 100


def test_the_stories_that_are_only_counted_are_a_click_away(
    newsletter: Newsletter, section: Section, now: datetime, client: Client
) -> None:
    stories(section, 120, now)
    issue = composed(newsletter, now)
    html = check_size(issue, now)
    issue.refresh_from_db()
    address = f"/newsletters/tech-news/{issue.number}/stories/"
    assert f"http://127.0.0.1:8000{address}" in html
    assert client.get(address).status_code == 404
    Issue.objects.update(state=Issue.State.SENT, audience_count=0, planned_at=now)
    listed = [path for number in (1, 2, 3) for path in _listed(client, f"{address}?page={number}")]
    assert listed == [f"/articles/number-{number}/" for number in range(120)]
    Article.objects.filter(slug="number-0").update(state=Article.State.WITHDRAWN)
    assert "/articles/number-0/" not in _listed(client, f"{address}?page=1")
    Issue.objects.update(state=Issue.State.CANCELLED)
    assert client.get(address).status_code == 410


def _listed(client: Client, address: str) -> list[str]:
    paths = re.findall(r'<li><a href="(/articles/[^"]+)"', client.get(address).content.decode())
    return [str(each) for each in paths]


def test_no_story_comes_again_because_it_was_only_counted(
    newsletter: Newsletter, section: Section, now: datetime
) -> None:
    stories(section, 120, now)
    composed(newsletter, now)
    later = composed(newsletter, now + timedelta(days=1))
    assert (later.state, later.state_reason) == (Issue.State.CANCELLED, composing.EMPTY)


# Each script in paragraphs, and each other block in the script whose letters need the most bytes.
@rows(
    "script, block",
    [*((script, "<p>{}</p>") for script in SCRIPTS), ("emoji", "<ul>{}</ul>"), ("emoji", "<pre>{}</pre>")],
)
def test_a_long_story_is_cut_where_a_block_ends_and_leads_to_its_page(
    newsletter: Newsletter, publish: Publish, now: datetime, script: str, block: str
) -> None:
    inner = "<li>{}</li>" if block.startswith("<ul>") else "{}"
    body = "\n".join(block.format(inner.format(f"{number}: {SCRIPTS[script] * 4}")) for number in range(2_000))
    issue = instant(newsletter, publish("Long", now, body_markdown=f"<h2>First</h2>{body}<p>The end.</p>"), now)
    html = check_size(issue, now)
    assert "The end." not in html
    page = BeautifulSoup(html, "html5lib")
    assert page.find("a", string=re.compile("Read on")) is not None
    last = page.find_all(block[1:].partition(">")[0].replace("ul", "li"))
    numbers = [int(match[1]) for each in last if (match := re.match(r"(\d+): ", each.get_text()))]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 50
    # The last one is whole, and the text part ends with the same.
    text = Issue.objects.get().snapshot.text
    assert f"{numbers[-1]}: " in text
    assert f"{numbers[-1] + 1}: " not in text
    assert "Read on:\nhttp://127.0.0.1:8000/articles/story-1/" in text


@pytest.mark.parametrize("script", SCRIPTS)
def test_one_enormous_paragraph_ends_after_a_word(
    newsletter: Newsletter, publish: Publish, now: datetime, script: str
) -> None:
    body = f"<h2>First</h2><p>It <em>began &amp; {SCRIPTS[script] * 5_000}</em></p><p>The end.</p>"
    html = check_size(instant(newsletter, publish("Long", now, body_markdown=body), now), now)
    assert "The end." not in html
    assert re.search(r"\S …</em></p>", html)


def test_a_short_story_is_whole(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    html = check_size(instant(newsletter, publish("Short", now), now), now)
    assert "The body." in html
    assert "Read it on the site" in html
    assert "Read on<" not in html


@pytest.mark.parametrize("kind", ["letter", "digest"])
def test_an_editor_is_told_to_shorten_what_is_theirs(
    newsletter: Newsletter, publish: Publish, now: datetime, kind: str
) -> None:
    publish("One", now)
    words = "\n\n".join(["Длинное слово редактора. " * 20] * 100)
    issue = (
        composed(newsletter, now) if kind == "digest" else Issue.objects.create(newsletter=newsletter, subject="A word")
    )
    Issue.objects.update(introduction=words)
    with pytest.raises(freezing.NotFrozen, match=r"Gmail hides .* Shorten the text .* by about 7\d percent\."):
        freezing.freeze(issue=issue, now=now)
    Issue.objects.update(introduction=words[: len(words) // 4])
    check_size(issue, now)


def test_how_many_stories_are_in_full_is_the_newsletters(
    newsletter: Newsletter, section: Section, now: datetime
) -> None:
    stories(section, 30, now, words="x ")
    for wanted in (1, 7, 15):
        Newsletter.objects.update(stories_in_full=wanted)
        Issue.objects.all().delete()
        html = rendering.render(issue=composed(Newsletter.objects.get(), now), now=now).html
        assert html.count("Read the story") == 1
        assert html.count("x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x") == wanted
