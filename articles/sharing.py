"""Addresses by which a reader tells others of a story: plain links, without a script or a picture of anybody."""

from typing import Final
from urllib.parse import quote, urlencode

from articles.models import Article
from publication import urls

# Name -> address and the names of what it takes; a brand is not translated.
SERVICES: Final = {
    "WhatsApp": ("https://wa.me/", {"text": "{headline} {url}"}),
    "Telegram": ("https://t.me/share/url", {"url": "{url}", "text": "{headline}"}),
    "Facebook": ("https://www.facebook.com/sharer/sharer.php", {"u": "{url}"}),
}


def links(article: Article) -> dict[str, object]:
    """The story's own address, a draft of a mail, and (name, address) of the services."""
    facts = {"headline": article.headline, "url": urls.absolute(article.get_absolute_url())}
    mail = {"subject": facts["headline"], "body": f"{facts['headline']}\n\n{facts['url']}"}
    return {
        "url": facts["url"],
        "mail": f"mailto:?{urlencode(mail, quote_via=quote)}",
        "services": [
            (name, f"{address}?{urlencode({key: pattern.format(**facts) for key, pattern in query.items()})}")
            for name, (address, query) in SERVICES.items()
        ],
    }
