"""Puts Block News International into an empty database."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils.text import slugify

from articles import images, publishing, translations
from articles.models import Article, Author, Byline, Image, Section, Tag
from newsroom.demonstration import at_work, past_issue, pictures, texts
from publication.models import Publication
from subscribers import legal
from subscribers.models import Cadence, CadenceOffer, LegalDocument, Newsletter, Subscriber, Weekday

SECTIONS = {
    "News": "What happened, and what is known about it.",
    "Markets": "Prices, flows and the reasons behind them.",
    "Policy": "Laws, central banks and those who write the rules.",
    "Technology": "How the networks work, in words that need no dictionary.",
    "Products": "What is new in Block News itself.",
}
SECTIONS_ELSEWHERE = {
    "News": {"ru": {"name": "Новости"}, "ky": {"name": "Жаңылыктар"}},
    "Markets": {"ru": {"name": "Рынки"}, "ky": {"name": "Рыноктор"}},
    "Policy": {"ru": {"name": "Политика"}, "ky": {"name": "Саясат"}},
    "Technology": {"ru": {"name": "Технологии"}, "ky": {"name": "Технология"}},
    "Products": {"ru": {"name": "Продукты"}, "ky": {"name": "Өнүмдөр"}},
}
LEGAL_ELSEWHERE = {
    "terms": {"ru": "Условия использования", "ky": "Пайдалануу шарттары"},
    "privacy": {"ru": "Политика конфиденциальности", "ky": "Купуялык саясаты"},
}
# Name -> role, and two sentences about the person.
AUTHORS = {
    "Staff Writer": ("Newsroom", "Reported and edited by the newsroom of Block News International."),
    "Nora Ellery": ("Markets editor", "Writes about prices and about the people who make them. An invented person."),
    "Jonas Okafor": ("Technology editor", "Explains protocols and reads their changelogs. An invented person."),
    "Aidai Toktosunova": (
        "Correspondent, Central Asia",
        "Covers policy between Bishkek and Almaty. An invented person.",
    ),
}
PUBLICATION = {
    "name": "Block News International",
    "owner": "Blends Media Group",
    "strapline": "Digital money, its markets and its makers, in plain words",
    "postal_address": "14 Specimen Row\nLondon ZZ1 1ZZ\nUnited Kingdom",
    "accent_colour": "#b23a0e",
    "ink_colour": "#1c1f26",
    "sender_name": "Block News International",
    "sender_address": "news@blocknews.example",
    "reply_to": "editors@blocknews.example",
    "contact_address": "editors@blocknews.example",
    "language": "en",
    "further_languages": ["ru", "ky"],
    "time_zone": "Europe/London",
}
# Released a week before the others: they are in last week's issue of the Central Asia Brief.
LAST_WEEK = {"a-year-after-the-halving", "uk-draft-rules", "digital-som-explained"}
JUST_BEFORE = timedelta(minutes=1)
INSTANT, DAILY, WEEKLY = Cadence.INSTANT, Cadence.DAILY, Cadence.WEEKLY


class NotEmptyError(Exception):
    """The database holds a publication already; nothing was changed."""


@dataclass(frozen=True)
class Loaded:
    """How much was loaded."""

    stories: int
    newsletters: int


def load(*, now: datetime) -> Loaded:
    """Load the whole demonstration, in one transaction; `now` is when most of its stories are released.

    The others were released a week before, and the engine sends an issue with them to one invented reader.

    Raises `NotEmptyError` if there are stories, newsletters, readers or legal documents.
    """
    with transaction.atomic():
        _require_empty()
        _publication()
        for position, text in enumerate(texts.legal_texts()):
            _legal(text, position, now)
        for position, (name, description) in enumerate(SECTIONS.items()):
            Section.objects.create(
                name=name,
                slug=slugify(name),
                description=description,
                position=position,
                translations=SECTIONS_ELSEWHERE[name],
            )
        for name, (role, biography) in AUTHORS.items():
            Author.objects.create(name=name, slug=slugify(name), role=role, biography=biography)
        written = texts.stories()
        for story in written:
            if story.slug in LAST_WEEK:
                _story(story, now - past_issue.AGO)
        _newsletters(now)
        for story in written:
            if story.slug not in LAST_WEEK:
                _story(story, now)
        for translation in texts.translations():
            _translation(translation, now)
        at_work.load(newsletter=Newsletter.objects.get(slug="tech-and-product-updates"), now=now)
    return Loaded(stories=len(written), newsletters=Newsletter.objects.count())


def _require_empty() -> None:
    rows = (Article.objects, Section.objects, Newsletter.objects, Subscriber.objects, LegalDocument.objects)
    if any(manager.exists() for manager in rows):
        raise NotEmptyError(
            "There are stories, newsletters or readers here already, so the demonstration was not loaded."
        )


def _publication() -> None:
    house = Publication.objects.current()
    for name, value in PUBLICATION.items():
        setattr(house, name, value)
    house.logo.save("block-news.png", ContentFile(pictures.logo()), save=False)
    house.full_clean()
    house.save()


def _legal(text: texts.LegalText, position: int, now: datetime) -> None:
    document = LegalDocument.objects.create(
        kind=text.kind,
        slug=text.slug,
        title=text.title,
        position=position,
        translations={language: {"title": title} for language, title in LEGAL_ELSEWHERE[text.kind].items()},
    )
    legal.publish_version(version=legal.draft(document=document, body_markdown=text.body, now=now), actor=None, now=now)


def _story(story: texts.Story, now: datetime) -> None:
    article = Article(
        headline=story.headline,
        slug=story.slug,
        standfirst=story.standfirst,
        body_markdown=story.body,
        section=Section.objects.get(name=story.section),
        lead_image=_picture(story),
        published_at=story.date,
    )
    article.full_clean()
    article.save()
    for position, name in enumerate(story.authors):
        Byline.objects.create(article=article, author=Author.objects.get(name=name), position=position)
    article.tags.set([Tag.objects.get_or_create(slug=slugify(name), defaults={"name": name})[0] for name in story.tags])
    publishing.save_revision(article=article, actor=None, now=now)
    publishing.publish(article=article, actor=None, now=now)
    if story.correction:
        publishing.correct(article=article, text=story.correction, actor=None, now=now)


def _translation(translation: texts.Translation, now: datetime) -> None:
    original = Article.objects.get(slug=translation.of)
    draft = translations.translate(article=original, language=translation.language, actor=None, now=now)
    for name in ("headline", "slug", "standfirst"):
        setattr(draft, name, getattr(translation, name))
    draft.body_markdown, draft.published_at = translation.body, original.published_at
    draft.full_clean()
    draft.save()
    publishing.save_revision(article=draft, actor=None, now=now)
    publishing.publish(article=draft, actor=None, now=now)


def _picture(story: texts.Story) -> Image:
    image = Image(alt=story.alt, caption=story.caption, credit=story.credit)
    return images.store(image=image, upload=pictures.draw(name=story.picture), actor=None)


def _newsletters(now: datetime) -> None:
    updates = Newsletter.objects.create(
        name="Block News Tech & Product Updates",
        slug="tech-and-product-updates",
        description="The stories of the day on technology, markets and policy, and what is new in our products.",
        time_zone="Europe/London",
        auto_approve=True,
        position=0,
    )
    _offer(updates, INSTANT, since=now)
    _offer(updates, DAILY, since=now - JUST_BEFORE, send_at=time(7))
    _offer(updates, WEEKLY, since=now - JUST_BEFORE, send_at=time(7), weekday=Weekday.MONDAY)
    brief = Newsletter.objects.create(
        name="Central Asia Brief",
        slug="central-asia-brief",
        description="Rules, reserves and payments between the Caspian and the Tian Shan, chosen by an editor.",
        time_zone="Asia/Bishkek",
        auto_approve=False,
        position=1,
    )
    brief.sections.set(Section.objects.filter(name__in=["News", "Policy"]))
    then = now - past_issue.AGO - JUST_BEFORE
    offer = _offer(brief, WEEKLY, since=then, send_at=time(8), weekday=Weekday.FRIDAY)
    past_issue.load(offer=offer, now=now)
    # The schedule begins now: no Friday of the past week is missing.
    CadenceOffer.objects.filter(pk=offer.pk).update(active_since=now - JUST_BEFORE)


def _offer(
    newsletter: Newsletter,
    cadence: Cadence,
    *,
    since: datetime,
    send_at: time | None = None,
    weekday: int | None = None,
) -> CadenceOffer:
    offer = CadenceOffer(newsletter=newsletter, cadence=cadence, active_since=since, send_at=send_at, weekday=weekday)
    offer.full_clean()
    offer.save()
    return offer
