"""The menu of the desk: tasks by role, the current line on each page, and the words of titles."""

import re

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from articles.models import Article
from publication import groups
from subscribers.models import Newsletter
from tests.cast import Publish, Staff, signed_in
from tests.table import rows

EVERYBODY = ["Today", "Stories", "Pictures", "Issues", "Newsletters"]
LINE = re.compile(r'class="desk-menu__line[^"]*"[^>]*>\s*<span[^>]*>\w+</span>([^<]+?)\s*</a>')
CURRENT = re.compile(r'<a href="([^"]+)"\s+class="desk-menu__\w+ is-current"\s+aria-current="(\w+)"')


def lines(client: Client, address: str = "/admin/") -> list[str]:
    """The first level of the menu."""
    return LINE.findall(client.get(address).content.decode())


@rows(
    "role, tasks",
    [
        (groups.AUTHOR, [*EVERYBODY, "Publication"]),
        (groups.EDITOR, [*EVERYBODY, "Readers", "Publication"]),
        (groups.PUBLISHER, [*EVERYBODY[:5], "Readers", "Publication"]),
    ],
)
def test_each_role_sees_its_tasks(staff: Staff, role: str, tasks: list[str]) -> None:
    shown = lines(staff(role))
    assert [task for task in shown if task in {*EVERYBODY, "Readers", "Publication"}] == tasks
    assert "System" not in shown, "rows are for administrators"


def test_each_line_opens_and_names_its_page(db: None, newsletter: Newsletter, publish: Publish) -> None:
    client = signed_in(User.objects.create_superuser("ada"))
    story: Article = publish("A window opens")
    assert lines(client)[-1] == "System"
    waiting, opened = ["/admin/"], set[str]()
    while waiting:
        address = waiting.pop().replace("&amp;", "&")
        if address in opened:
            continue
        opened.add(address)
        page = client.get(address, follow=True).content.decode()
        waiting += re.findall(r'<a href="([^"]+)"\s+class="desk-menu__', page)
        assert CURRENT.search(page), f"{address} is nowhere in the menu"
        assert page.count("<h1") == 1, address
    assert len(opened) > 20, opened
    page = client.get(reverse("admin:articles_article_change", args=[story.pk])).content.decode()
    assert CURRENT.findall(page) == [(reverse("admin:articles_article_changelist"), "true")]
    assert "<h1>A window opens</h1>" in page
    assert "<title>A window opens · Stories |" in re.sub(r"\s+", " ", page).replace("> ", ">")
    page = client.get("/admin/digests/issue/?state__exact=scheduled").content.decode()
    assert [mark for _, mark in CURRENT.findall(page)] == ["true", "page"]
    assert "Slug redirects" not in page
