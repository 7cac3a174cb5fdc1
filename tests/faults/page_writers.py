"""Writers, each a process: they publish, correct and withdraw stories, and read each page right afterwards.

    python -m tests.faults.page_writers WRITERS STORIES URL...

Django is made ready once and the writers are forked. Prints a line, with the address first, for each old page; exits
with the number of writers that could not work.
"""

import os
import sys
import traceback
from typing import NoReturn

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
django.setup()

# The models can only be imported once Django is set up.
import requests  # noqa: E402  # as above
from django.conf import settings  # noqa: E402  # as above
from django.db import connections  # noqa: E402  # as above
from django.utils import timezone  # noqa: E402  # as above

from articles import publishing  # noqa: E402  # as above
from articles.models import Article, Section  # noqa: E402  # as above


def main(writers: int, stories: int, sites: list[str]) -> int:
    """Run the writers side by side; how many of them failed."""
    # Eight texts at once on a loaded machine: its clock is not what this is about.
    settings.MARKUP_SECONDS = 60
    connections.close_all()
    children = [os.fork() or write(number, stories, sites) for number in range(writers)]
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


def write(number: int, stories: int, sites: list[str]) -> NoReturn:
    """The life of one writer."""
    try:
        section = Section.objects.create(name=f"Section {number}", slug=f"section-{number}")
        for story in range(stories):
            live(number, story, section, sites)
    except BaseException:  # noqa: BLE001  # a forked process ends here, whatever it was
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def live(number: int, story: int, section: Section, sites: list[str]) -> None:
    """One story is published, renamed, corrected and withdrawn, and every page is read after each."""
    slug = f"story-{number}-{story}"
    article = Article.objects.create(headline=f"Written {slug}", slug=slug, section=section, body_markdown="Text.")
    path, lists = article.get_absolute_url(), [section.get_absolute_url(), "/sitemap.xml"]
    publishing.publish(article=article, actor=None, now=timezone.now())
    expect(sites, [path], 200, f"Written {slug}")
    expect(sites, lists, 200, path)
    Article.objects.filter(pk=article.pk).update(headline=f"Renamed {slug}")
    expect(sites, [path, lists[0]], 200, f"Renamed {slug}")
    publishing.correct(article=article, text=f"Corrected {slug}.", actor=None, now=timezone.now())
    expect(sites, [path], 200, f"Corrected {slug}.")
    publishing.withdraw(article=article, reason=f"Taken back {slug}.", actor=None, now=timezone.now())
    expect(sites, [path], 410, f"Taken back {slug}.")
    expect(sites, lists, 200, path, is_there=False)


def expect(sites: list[str], paths: list[str], status: int, words: str, *, is_there: bool = True) -> None:
    """Read the pages at each site twice: the second time, the page is cached."""
    for address in [site + path for site in sites for path in paths] * 2:
        response = requests.get(address, timeout=30)
        if response.status_code != status or (words in response.text) != is_there:
            presence = "without" if is_there else "still with"
            sys.stdout.write(f"{address}: {response.status_code} {presence} {words!r}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
