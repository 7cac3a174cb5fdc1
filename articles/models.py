"""Stories and what belongs to them: desk, labels, bylines, pictures, versions, corrections."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, TypeAlias

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from articles import captions, states, translation_models
from articles.front_models import FrontPage, FrontSection, FrontStory
from articles.picture_model import Picture
from articles.reader_letter_model import ReaderLetter as ReaderLetter
from articles.review_models import Acknowledgement, Comment, Reviewed
from articles.search_model import SearchEntry, SearchWord, called
from articles.states import ArticleState
from articles.translation_models import InLanguage
from articles.working_copy_model import WorkingCopy as WorkingCopy
from core import page_tags
from mailkit import message
from publication import fields, languages
from publication.translated import Translated

__all__ = [
    "NEWS_FOR", "Acknowledgement", "Article", "ArticleQuerySet", "Author", "Byline", "Comment", "Correction",
    "FrontPage", "FrontSection", "FrontStory", "Image", "ReleaseHorizon", "Revision", "SearchEntry", "SearchWord",
    "Section", "SlugRedirect", "Tag",
]  # fmt: skip


class Section(Translated):
    """A desk, such as News: the part of the paper that a story is in."""

    TRANSLATED = ("name", "description")

    name = fields.CharField(max_length=80, unique=True, help_text=_("Shown in the navigation."))
    slug = fields.SlugField(max_length=80, unique=True, help_text=_("The address: /sections/…/."))
    description = fields.CharField(
        max_length=300, blank=True, help_text=_("One sentence for readers and search engines.")
    )
    position = models.PositiveSmallIntegerField(default=0, help_text=_("Order in the navigation, smallest first."))

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return languages.path("section", self.slug)


class Tag(page_tags.Tagged, Translated):
    """A free label that joins stories across sections."""

    page_tag = "tag"

    name = fields.CharField(max_length=80, unique=True)
    slug = fields.SlugField(max_length=80, unique=True, help_text=_("The address: /tags/…/."))

    class Meta:
        ordering = ["name"]
        indexes = [GinIndex(called(), name="tag_called")]  # articles.search, by their names in every language

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return languages.path("tag", self.slug)


class Author(page_tags.Tagged, Translated):
    """A byline."""

    TRANSLATED = ("name", "role", "biography")
    page_tag = "author"

    name = fields.CharField(max_length=120, help_text=_("As it is shown under the headline."))
    slug = fields.SlugField(max_length=120, unique=True, help_text=_("The address: /authors/…/."))
    role = fields.CharField(max_length=120, blank=True, help_text=_("Such as “Markets editor”."))
    biography = fields.TextField(max_length=2000, blank=True, help_text=_("Two or three sentences. Plain text."))
    picture = models.ForeignKey(
        "articles.Image",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("The face beside the byline."),
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text=_("The account that writes under this byline, if there is one."),
    )

    class Meta:
        ordering = ["name"]
        indexes = [GinIndex(called(), name="author_called")]  # articles.search, as for tags

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return languages.path("author", self.slug)


class Image(page_tags.Tagged, Picture):
    """A picture in the library, by its number."""

    page_tag = "image"

    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(focal_x__range=(0, 1)) & Q(focal_y__range=(0, 1)), name="image_focal_point_is_inside"
            ),
        ]
        indexes = [
            # picture_library.search: the newest pictures, a page at a time.
            models.Index(F("created_at").desc(), F("id").desc(), name="image_newest"),
            # images.incomplete: the newest pictures without AVIF.
            models.Index(F("id").desc(), condition=~Q(renditions__has_key="avif"), name="image_without_avif"),
            # picture_library.search: words of the description, the caption and the credit.
            GinIndex(SearchVector("alt", "caption", "credit", config="simple"), name="image_words"),
        ]

    def __str__(self) -> str:
        return self.alt


PUBLISHED, SCHEDULED = ArticleState.PUBLISHED.value, ArticleState.SCHEDULED.value
# How far back a story may be dated that is mailed by itself.
NEWS_FOR = timedelta(days=7)


class ArticleQuerySet(models.QuerySet["Article"]):
    """Adjectives for stories, which chain."""

    def published(self) -> ArticleQuerySet:
        """Public stories: page, section, feed, sitemap, search, digest and engine ask it."""
        return self.filter(state__in=states.PUBLIC)

    def listed(self) -> ArticleQuerySet:
        """Public stories in the language of the page or mail that is written: lists, feeds and search ask it."""
        return self.published().in_language(languages.of_pages())

    def in_language(self, language: str) -> ArticleQuerySet:
        """Stories of these pages; those of the first language have the stories of languages without pages too."""
        return self.filter(translation_models.on_pages_of(language))

    def on_record(self) -> ArticleQuerySet:
        """Stories whose address readers know: public ones, and withdrawn ones, which answer 410."""
        return self.filter(state__in=states.ON_RECORD)

    def scheduled_until(self, now: datetime) -> ArticleQuerySet:
        """Scheduled stories that are due."""
        return self.filter(state=Article.State.SCHEDULED, publish_at__lte=now)

    def released_between(self, start: datetime | None, end: datetime) -> ArticleQuerySet:
        """Public stories first published in (start, end], oldest first; no start: from the beginning."""
        released = self.published().filter(first_published_at__lte=end)
        if start is not None:
            released = released.filter(first_published_at__gt=start)
        return released.order_by("first_published_at", "pk")

    def news(self) -> ArticleQuerySet:
        """Stories dated at most NEWS_FOR before they came out; older ones are an archive that moved in."""
        return self.filter(published_at__gt=F("first_published_at") - NEWS_FOR)

    def back_between(self, start: datetime, end: datetime) -> ArticleQuerySet:
        """Public stories that came back in (start, end] after they had been withdrawn."""
        return self.published().filter(republished_at__gt=start, republished_at__lte=end)

    def newest_first(self) -> ArticleQuerySet:
        return self.order_by("-published_at", "-pk")

    def with_related(self) -> ArticleQuerySet:
        """Everything that a card or a page shows around the text, in a fixed number of queries."""
        return self.select_related("section", "lead_image").prefetch_related("bylines__author", "tags")

    def for_cards(self) -> ArticleQuerySet:
        """What `articles.teasers` writes, without the text itself."""
        return self.without_text().select_related("section", "lead_image").prefetch_related("bylines__author")

    def without_text(self) -> ArticleQuerySet:
        """Without the long columns, for lists."""
        return self.defer("body_markdown", "body_html", "body_text")


class Article(InLanguage, Reviewed):
    """A story. Its state changes only through the verbs of `articles.publishing`."""

    State: TypeAlias = ArticleState

    headline = fields.CharField(
        max_length=200,
        validators=[message.validate_header_text],
        help_text=_("What happened, in one line. It may become the subject of a mail."),
    )
    slug = fields.SlugField(
        max_length=200,
        unique=True,
        help_text=_("The address: /articles/…/. When you change it, the old one leads here."),
    )
    standfirst = fields.TextField(
        max_length=500,
        blank=True,
        help_text=_("One or two sentences under the headline. Digests and search results show them."),
    )
    body_markdown = fields.TextField(
        "text", blank=True, help_text=_("Markdown: **bold**, *italic*, [words](https://link), ## Heading.")
    )
    body_html = fields.TextField(blank=True, editable=False)
    body_text = fields.TextField(blank=True, editable=False)
    body_sha256 = fields.CharField(max_length=64, blank=True, editable=False)
    section = models.ForeignKey(Section, on_delete=models.PROTECT, related_name="articles")
    tags = models.ManyToManyField(Tag, blank=True, related_name="articles")
    authors = models.ManyToManyField(Author, through="Byline", related_name="articles")
    lead_image = models.ForeignKey(
        Image,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="articles",
        help_text=_("Shown above the text and on cards."),
    )
    state = fields.CharField(max_length=12, choices=State.choices, default=State.DRAFT, editable=False)
    publish_at = models.DateTimeField(
        null=True, blank=True, help_text=_("For scheduling: the hour at which the clock publishes it.")
    )
    published_at = models.DateTimeField(
        "date shown", null=True, blank=True, help_text=_("The date readers see. Empty: the moment of publishing.")
    )
    first_published_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When a story that was withdrawn came back; a digest that missed it meanwhile is made up for.
    republished_at = models.DateTimeField(null=True, blank=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)
    withdrawal_reason = fields.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    objects: ClassVar[models.Manager[Article]] = ArticleQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-pk"]
        constraints = [
            *translation_models.CONSTRAINTS,
            models.CheckConstraint(condition=Q(state__in=ArticleState.values), name="article_state_is_known"),
            models.CheckConstraint(
                condition=~Q(state=PUBLISHED)
                | (Q(published_at__isnull=False) & Q(first_published_at__isnull=False) & ~Q(body_sha256="")),
                name="article_published_is_rendered",
            ),
            models.CheckConstraint(
                condition=~Q(state=SCHEDULED) | Q(publish_at__isnull=False),
                name="article_scheduled_has_hour",
            ),
        ]
        indexes = [
            # Front page, feeds, sitemap: newest public stories.
            models.Index(F("published_at").desc(), F("id").desc(), condition=Q(state=PUBLISHED), name="article_newest"),
            translation_models.NEWEST,
            # Section page.
            models.Index("section", F("published_at").desc(), condition=Q(state=PUBLISHED), name="article_by_section"),
            # composing: the stories of a window.
            models.Index("first_published_at", condition=Q(state=PUBLISHED), name="article_by_release"),
            # articles.tasks.tick: scheduled stories that are due.
            models.Index("publish_at", condition=Q(state=SCHEDULED), name="article_scheduled"),
            # review.waiting_for: what waits for somebody.
            models.Index("state", condition=Q(state__in=states.AT_WORK), name="article_in_hands"),
            # The desk's list of stories: those that changed last come first.
            models.Index(F("updated_at").desc(), F("id").desc(), name="article_by_change"),
            # The calendar: planned stories of a month.
            models.Index("planned_for", condition=Q(planned_for__isnull=False), name="article_planned"),
        ]
        permissions = [
            ("publish_article", "Can publish, schedule and withdraw stories"),
            ("edit_any_article", "Can edit and correct every story, not only one's own drafts"),
        ]

    def __str__(self) -> str:
        return self.headline

    def get_absolute_url(self) -> str:
        return languages.path_in(self.language, "article", args=[self.slug])

    @property
    def is_public(self) -> bool:
        """Whether readers see it, as `published` says."""
        return self.state in states.PUBLIC

    @property
    def summary(self) -> str:
        """The text beside the headline in a list or a digest."""
        return self.standfirst

    @property
    def byline(self) -> str:
        """The authors in their order: “A”, “A and B”, “A, B and C”; empty when there is none."""
        return captions.names(entry.author.local.name for entry in self.bylines.all())


class Byline(models.Model):
    """An author's place under a headline."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="bylines")
    author = models.ForeignKey(Author, on_delete=models.PROTECT, related_name="bylines")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["article", "author"], name="byline_once_per_author"),
        ]

    def __str__(self) -> str:
        return self.author.name


class Revision(models.Model):
    """The whole of a story as it was saved once; `snapshot` holds every field an editor can set."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    snapshot = models.JSONField()
    note = fields.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["article", "number"], name="revision_number_once"),
        ]

    def __str__(self) -> str:
        return f"Revision {self.number}"


class Correction(models.Model):
    """A dated note of what was corrected, shown with the story."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="corrections")
    text = fields.TextField(max_length=1000, help_text=_("What was wrong, and what is right."))
    corrected_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-corrected_at"]

    def __str__(self) -> str:
        return self.text[:60]


class SlugRedirect(models.Model):
    """An address that a story once had."""

    slug = fields.SlugField(max_length=200, unique=True)
    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="redirects")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.slug


class ReleaseHorizon(models.Model):
    """One row: the instant until which digests have been composed. No story is released at or before it."""

    closed_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="release_horizon_is_one_row"),
        ]

    def __str__(self) -> str:
        return self.closed_until.isoformat()
