"""The readers' pages of stories: front page, story, section, author, tag."""

import functools
from collections.abc import Mapping
from typing import Any

from django.core.paginator import Page
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render

from articles import front as fronts
from articles import paging, seo, story_parts, story_rows, teasers, translations
from articles.models import Article, ArticleQuerySet, Author, Section, SlugRedirect, Tag
from articles.story_parts import StoryPage
from articles.story_rows import Story
from articles.teasers import Teaser
from core import caching, page_tags
from publication import context, frames, language_switch, languages, shared_parts

# A list of more stories is led by the newest.
LEAD_FROM = 1


@caching.public
def front(request: HttpRequest) -> HttpResponse:
    """What an editor arranged and the clock added; the pages behind it have all stories, the newest first."""
    page_tags.add("front")
    publication = context.of(request)
    if request.GET.get("page", "1") == "1":
        return front_page(request, path=request.path)
    page = _page(request, Article.objects.listed().newest_first())
    head = seo.front_head(publication=publication, path=request.path, stories=page, number=page.number)
    return render(request, "articles/older.html", {"page": page, "head": head})


def front_page(request: HttpRequest, *, path: str, **besides: object) -> HttpResponse:
    """The front page of the publication that the request shows: the preview of another look is the same page."""
    publication = context.of(request)
    front = fronts.compose(publication=publication, parts=shared_parts.of(request))
    head = seo.front_head(publication=publication, path=path, stories=front.all)
    return render(request, "articles/front.html", {"front": front, "head": head, **besides})


@caching.public
def article(request: HttpRequest, slug: str) -> HttpResponse:
    """A story; 410 with the reason when it was withdrawn; 301 when it lives elsewhere now."""
    parts = shared_parts.of(request)
    # Asked of the database only for what the process has not, and once.
    read = functools.cache(lambda: story_rows.on_record(slug=slug, parts=parts))
    page = parts.words(("story", slug), lambda: _public(request, read()))
    if page is None:
        return _not_public(request, slug, read())
    return caching.changed_at(_whole(request, page), page.changed_at)


def story_page(request: HttpRequest, story: Article) -> HttpResponse:
    """The page of a story that is not public yet, for the preview."""
    return _whole(request, _own(request, story, {}))


def _public(request: HttpRequest, read: Story | None) -> StoryPage | None:
    """A story that readers see at this address; None for every other."""
    if read is None or not read.article.is_public or read.article.get_absolute_url() != request.path:
        return None
    page_tags.add(f"article:{read.article.pk}")
    return _own(request, read.article, translations.paths(read.article, read.texts))


def _not_public(request: HttpRequest, slug: str, read: Story | None) -> HttpResponse:
    if read is None:
        return _moved(slug)
    story, addresses = read.article, translations.paths(read.article, read.texts)
    if (own := story.get_absolute_url()) != request.path:
        # The address of another language: there is the translation, or the story has its own address.
        translated = addresses.get(languages.of_pages())
        return HttpResponseRedirect(translated) if translated else HttpResponsePermanentRedirect(own)
    if languages.further():
        language_switch.only_in(request, addresses)
    return render(request, "410.html", {"article": story}, status=410)


def _own(request: HttpRequest, story: Article, addresses: Mapping[str, str]) -> StoryPage:
    publication, parts = context.of(request), shared_parts.of(request)
    with languages.override(story.language, publication=publication):
        return story_parts.page(story, addresses=addresses, publication=publication, parts=parts, request=request)


def _whole(request: HttpRequest, page: StoryPage) -> HttpResponse:
    publication, parts = context.of(request), shared_parts.of(request)
    # The frame of the preview runs no script, and says so in the console.
    has_scripts = request.resolver_match is None or "admin" not in request.resolver_match.app_names
    scripts = story_parts.scripts(*["copy-link"] * has_scripts, *["embeds"] * bool(page.origins))
    with languages.override(page.language, publication=publication):
        more = story_parts.more(page, publication=publication, parts=parts)
        slots = {**page.slots, "more": more, "scripts": scripts}
        words = frames.fill("articles/article.html", slots, request, publication=publication)
    return caching.with_frames_of(HttpResponse(words), page.origins)


@caching.public
def section(request: HttpRequest, slug: str) -> HttpResponse:
    """The stories of a desk."""
    desk = get_object_or_404(Section, slug=slug)
    page_tags.add(f"section:{desk.pk}")
    stories = Article.objects.published().filter(section=desk)
    return _list(request, stories, title=desk.local.name, introduction=desk.local.description, subject=desk)


@caching.public
def tag(request: HttpRequest, slug: str) -> HttpResponse:
    """The stories under a label."""
    label = get_object_or_404(Tag, slug=slug)
    page_tags.add(f"tag:{label.pk}:stories")
    return _list(request, Article.objects.published().filter(tags=label), title=label.local.name, subject=label)


@caching.public
def author(request: HttpRequest, slug: str) -> HttpResponse:
    """Who writes, and what."""
    writer = get_object_or_404(Author.objects.select_related("picture"), slug=slug)
    page_tags.add(f"author:{writer.pk}:stories")
    stories = Article.objects.published().filter(authors=writer)
    return _list(request, stories, title=writer.local.name, introduction=writer.local.biography, subject=writer)


def _list(
    request: HttpRequest,
    stories: ArticleQuerySet,
    *,
    title: str,
    subject: Section | Tag | Author,
    introduction: str = "",
) -> HttpResponse:
    translations.offer_lists(request, stories, publication=context.of(request))
    page = _page(request, stories.in_language(languages.of_pages()).newest_first())
    head = seo.list_head(
        publication=context.of(request), subject=subject, path=request.path, description=introduction, page=page
    )
    lead = page[0] if page.number == 1 and len(page) > LEAD_FROM else None
    shown = {"page": page, "head": head, "title": title, "introduction": introduction, "subject": subject, "lead": lead}
    return render(request, "articles/list.html", shown)


def _page(request: HttpRequest, stories: ArticleQuerySet) -> Page[Teaser]:
    """A page of teasers."""
    page: Page[Any] = paging.page_of(stories.values_list("pk", flat=True), request=request)
    numbers = list(page.object_list)
    shown = teasers.public(numbers, publication=context.of(request), parts=shared_parts.of(request))
    page.object_list = [shown[number] for number in numbers if number in shown]
    return page


def _moved(slug: str) -> HttpResponse:
    """Lead on from an address that a story once had, as long as it is still on record."""
    known = SlugRedirect.objects.filter(slug=slug, article__in=Article.objects.on_record())
    if (redirect := known.select_related("article").first()) is None:
        raise Http404("No story lives at this address.")
    return HttpResponsePermanentRedirect(redirect.article.get_absolute_url())
