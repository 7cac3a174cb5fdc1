"""The consent box: which words are beside it, and the seal that binds a form to them.

No page sets a cookie, so the form itself carries what it
showed: a signed token with the ids and hashes of the legal texts, the hash of the sentence
as it was shown, the time it was made and the page where its reader began.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from mailkit import tokens
from subscribers import legal
from subscribers.models import LegalVersion

PURPOSE = "signup_form"
DOCUMENT = re.compile(r"%\((document\d)\)s")


class FormRefused(Exception):
    """The form cannot be accepted as it is; str() says what to do. It is shown again with what was typed.

    `untick`: it showed other texts than those in force, or nobody knows which, so its tick says nothing about them.
    """

    def __init__(self, sentence: str, *, untick: bool = False) -> None:
        super().__init__(sentence)
        self.untick = untick


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of the sentence beside the box; with `url` it is a link."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """The sentence beside a box and the texts that it names."""

    versions: tuple[LegalVersion, ...]
    words: tuple[Words, ...]

    @property
    def text(self) -> str:
        """The sentence as it is read, which is what the consent record keeps."""
        return "".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a form that comes back had shown."""

    page: str


def current() -> Terms:
    """The terms that a form made now shows."""
    versions = tuple(legal.current_versions())
    return Terms(versions=versions, words=_sentence(versions))


def seal(*, terms: Terms, page: str, now: datetime) -> str:
    """The token that a form carries; `page` is the path of the page where its reader began."""
    payload: dict[str, str | int] = {"d": _fingerprint(terms), "t": int(now.timestamp() * 1000)}
    # A page with an @ in its path would be refused by the signer, and is none of ours.
    if "@" not in page:
        payload["p"] = page[:300]
    return tokens.sign(purpose=PURPOSE, payload=payload)


def check(*, token: str, terms: Terms, now: datetime) -> Shown:
    """Accept a form that showed exactly these terms between 2 seconds and 24 hours ago.

    On failure: FormRefused.
    """
    youngest, oldest = settings.SIGNUP_FORM_AGE
    try:
        payload = tokens.read(token, purpose=PURPOSE, max_age=None)
    except tokens.BadToken:
        raise FormRefused(_("This form was not complete. Please send it again."), untick=True) from None
    age = timedelta(milliseconds=now.timestamp() * 1000 - payload["t"])
    if age < youngest:
        raise FormRefused(_("That was very quick. Please send it again."))
    if age > oldest:
        raise FormRefused(_("This form was open for a long time. Please check it and send it again."))
    if payload["d"] != _fingerprint(terms):
        sentence = _("Our terms have changed since you opened this form. Please read them and agree again.")
        raise FormRefused(sentence, untick=True)
    return Shown(page=str(payload.get("p", "")))


def _fingerprint(terms: Terms) -> str:
    """Ids and hashes: of the texts' content there is no doubt even if a row were forged.

    The sentence is in it too: the same texts are agreed to in other words in each language.
    """
    texts = (f"{version.pk}.{version.sha256[:32]}" for version in terms.versions)
    return "-".join([*texts, hashlib.sha256(terms.text.encode()).hexdigest()[:32]])


def _sentence(versions: Sequence[LegalVersion]) -> tuple[Words, ...]:
    """The sentence in the language of the page. Where it names a text, it has the text's title with its link."""
    named = {f"document{number}": version for number, version in enumerate(versions, start=1)}
    parts = DOCUMENT.split(_wording(len(versions)))
    return tuple(
        Words(named[part].document.local.title, named[part].get_absolute_url()) if part in named else Words(part)
        for part in parts
        if part
    )


def _wording(documents: int) -> str:
    """Readers agree to the terms and the privacy policy, of which there may be none, one or both (`legal.AGREED`)."""
    if not documents:
        return _("I want to receive the newsletters chosen here by e-mail. I can leave at any time.")
    if documents == 1:
        return _(
            "I agree to the %(document1)s and want to receive the newsletters chosen here by e-mail. "
            "I can leave at any time."
        )
    return _(
        "I agree to the %(document1)s and the %(document2)s and want to receive the newsletters chosen here by e-mail. "
        "I can leave at any time."
    )
