"""Letters and a mailbox to try things on."""

from pathlib import Path

import pytest
from pytest_django import Settings

from mailkit import message

TEMPLATES = {
    "letters/greeting/subject.txt": "\n{{ title }}\n",
    "letters/greeting/body.txt": "Dear {{ name }},\n\n{{ text }}\n\n{{ url }}\n",
    "letters/greeting/body.mjml": (
        "<mjml><mj-body><mj-section><mj-column><mj-text>Dear {{ name }}, {{ text }} "
        "<a href='{{ url }}'>here</a></mj-text></mj-column></mj-section></mj-body></mjml>"
    ),
}


@pytest.fixture
def sender() -> message.Sender:
    """The publication."""
    return message.Sender(name="Block News, International", address="news@example.com", reply_to="desk@example.com")


@pytest.fixture
def letters(settings: Settings) -> dict[str, str]:
    """A letter called `greeting`; the templates may be changed before one is built."""
    templates = dict(TEMPLATES)
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", templates)]},
        }
    ]
    return templates


@pytest.fixture
def mailbox(settings: Settings, tmp_path: Path) -> Path:
    """An empty folder that local mail goes to."""
    settings.LOCAL_MAIL_DIR = tmp_path / "mail"
    return tmp_path / "mail"
