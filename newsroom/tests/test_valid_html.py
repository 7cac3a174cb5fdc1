"""Every page that somebody may see without signing in is valid HTML, as is every text in a feed."""

import json
from datetime import datetime

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone

from articles import publishing
from articles.models import Article
from digests import freezing
from digests.models import Issue
from newsroom.tests import html_rules, test_every_feed, test_public_heads
from newsroom.tests.test_public_heads import site  # noqa: F401  # a fixture of this file too
from publication.models import Publication
from subscribers import forms, links
from subscribers.models import Newsletter
from tests.cast import Publish, ask, confirmed

pytestmark = pytest.mark.django_db

# Beside the pages that have a head of their own.
OTHERS = [
    "/subscribe/sent/", "/preferences/sent/", "/search/", "/search/?q=nothing+at+all",
    "/legal/privacy/", "/ru/", "/ru/newsletters/", "/confirm/no-token/", "/unsubscribe/no-token/", "/no/such/page/",
]  # fmt: skip
EMBEDDED = ["/articles/story-1/embed/", "/newsletters/tech-news/embed/"]
RICH = """Words[^1] and more[^beta], then the first again.[^1]

## A heading

```python
def share(total: int) -> str:
    return f"{total / 100:.1%}"  # of all
```

| Year | Ounces |
|---|--:|
| 2025 | 14 |

::: note What the figures are
They are **rounded**.
:::

::: quote Jane Roe, minister
We shall see.
:::

::: signup tech-news

::: embed https://vimeo.com/76979871 The dam at night

- [ ] to do
- [x] done

Term
:   What it means

HTML stays: <abbr title="World Bank">WB</abbr>.

[^1]: A first note.
[^beta]: Another, with `code`.
"""


def sent(story: Article, now: datetime) -> Issue:
    """An issue that is this story with its text."""
    issue = Issue.objects.create(newsletter=Newsletter.objects.get(), kind=Issue.Kind.ARTICLE)
    issue.items.create(article=story, position=1)
    freezing.freeze(issue=issue, now=now)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.SENT, audience_count=1, planned_at=now)
    issue.refresh_from_db()
    return issue


def test_every_page_is_valid(client: Client, site: Article, publish: Publish, now: datetime) -> None:  # noqa: F811  # the fixture
    Publication.objects.update(further_languages=["ru"])
    rich = publish("Rich", body_markdown=RICH)
    mail = sent(rich, now)
    paths = [*test_public_heads.PAGES, *OTHERS, *EMBEDDED, rich.get_absolute_url(), mail.get_absolute_url()]
    pages = {path: client.get(path) for path in paths}
    publishing.withdraw(article=rich, reason="The source <took> it back.", actor=None, now=timezone.now())
    pages |= {"withdrawn": client.get(rich.get_absolute_url()), "too late": client.get("/search/?q=gold&page=99")}
    assert {response["Content-Type"] for response in pages.values()} == {"text/html; charset=utf-8"}
    faults = {path: html_rules.broken(response.content.decode()) for path, response in pages.items()}
    assert {path: each for path, each in faults.items() if each} == {}
    assert {pages[path].status_code for path in test_public_heads.PAGES} == {200}
    for name in ("400.html", "500.html"):
        assert html_rules.broken(render_to_string(name)) == [], name


def test_every_page_behind_a_link_of_a_mail_is_valid(client: Client, newsletter: Newsletter) -> None:
    rita = confirmed("rita@reader.example", newsletter)
    ada = ask("ada@reader.example", newsletter)
    token = {"preferences": links.preferences_token(subscriber=rita.subscriber),
             "unsubscribe": links.unsubscribe_token(subscription=rita),
             "confirm": links.confirm_token(subscriptions=ada.subscriptions.all())}  # fmt: skip
    pages = [client.get(f"/{name}/{value}/") for name, value in token.items()]
    pages += [client.post(f"/{name}/{value}/") for name, value in token.items()]
    pages += [client.post("/subscribe/", {"address": address}) for address in ("no address", "ulla@reader.example")]
    pages.append(client.post("/subscribe/", {"address": "ulla@reader.example", forms.SEAL: "spoilt"}))
    for response in pages:
        assert html_rules.broken(response.content.decode()) == [], (response.request["PATH_INFO"], response.status_code)


@pytest.mark.usefixtures("site")
def test_every_text_in_a_feed_is_valid(client: Client, publish: Publish, now: datetime) -> None:
    publish("Rich", now.replace(hour=3), body_markdown=RICH)
    for path in test_every_feed.LISTS:
        for item in json.loads(client.get(f"{path}feed.json").content)["items"]:
            assert html_rules.broken_part(item["content_html"]) == [], path


def test_faults_are_found() -> None:
    faults = {
        '<img src="a" alt="" height="auto">': 'height="auto"',
        '<p id="a">x</p><p id="a">y</p>': "2 times",
        '<a href="#gone">x</a>': "which is not there",
        '<td align="left">x</td>': "Unexpected start tag",
        '<table align="left"><tbody><tr><td>x</td></tr></tbody></table>': "no attribute",
        "<center>x</center>": "no element",
        "<p><ul><li>x</li></ul></p>": "Unexpected end tag",
        "<ul><p>x</p></ul>": "<p> in <ul>",
        '<a href="/"><button type="button">x</button></a>': "within <a>",
        "<br></br>": "end tag",
    }
    for html, fault in faults.items():
        assert fault in " ".join(html_rules.broken_part(html)), html
