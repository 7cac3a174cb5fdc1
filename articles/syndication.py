"""A story's text outside of its page: for feeds and mails."""

from articles import markup
from articles.models import Article
from mailkit import absolute_links
from publication import urls


def in_feed(article: Article) -> str:
    """The stored HTML with every address whole, the anchors of its own page included."""
    return absolute_links.make_absolute(markup.shown(article, place="feed"), page_url=_page(article))


def in_mail(article: Article, *, width: int) -> str:
    """As `in_feed`, with pictures that fit into a column of `width` pixels."""
    return absolute_links.for_mail(markup.shown(article, place="mail"), page_url=_page(article), width=width)


def _page(article: Article) -> str:
    return urls.absolute(article.get_absolute_url())
