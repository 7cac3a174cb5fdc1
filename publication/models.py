"""The publication: one row that every page and every mail reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import resources
from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from mailkit import message
from publication import fields
from publication import page_changes as page_changes  # it listens from here on
from publication.formats import Format
from publication.page_versions import PageChange as PageChange
from publication.page_versions import PageVersion as PageVersion
from publication.page_versions import SharedCache as SharedCache
from publication.typefaces import TypeChoice

THE_ROW = 1


# The names of the IANA list, and no others that a machine may know: what `localtime` means differs from one to the
# next. The list's own "Factory" means a machine that was not set up.
TIME_ZONES: Final = frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split()) - {"Factory"}


def validate_time_zone(value: str) -> None:
    """Accept the name of an IANA time zone, as it is written there; otherwise say what to type."""
    if value not in TIME_ZONES:
        raise ValidationError(_("Use the name of a time zone, such as Europe/Berlin or Asia/Bishkek."))


validate_language = RegexValidator(
    r"^[a-z]{2,3}(-[a-zA-Z0-9]{2,8})*$", _("Use the code of a language, such as en, ky or pt-br.")
)
validate_colour = RegexValidator(r"^#[0-9a-fA-F]{6}$", _("Use a colour such as #1a4d8f."))


# Where `Publication.objects.current` has the row from, instead of the database.
_known: Final[ContextVar[Callable[[], Publication] | None]] = ContextVar("known", default=None)


@contextmanager
def read_once(publication: Callable[[], Publication]) -> Iterator[None]:
    """Until the block ends, this is the publication; for pages that only show something."""
    token = _known.set(publication)
    try:
        yield
    finally:
        _known.reset(token)


class PublicationManager(models.Manager["Publication"]):
    """Access to the single row."""

    def current(self) -> Publication:
        """The publication, read now; inside of `read_once` the one that was read first."""
        known = _known.get()
        return self.stored() if known is None else known()

    def stored(self) -> Publication:
        """The row, read now; one with plain default values is made when there is none yet."""
        publication, _created = self.get_or_create(pk=THE_ROW)
        return publication


class Publication(models.Model):
    """The publication itself: its name, owner, address and look."""

    name = fields.CharField(
        max_length=120,
        default="Our publication",
        validators=[message.validate_header_text],
        help_text=_("Stands in the masthead of every page and every mail."),
    )
    owner = fields.CharField(
        max_length=120,
        blank=True,
        help_text=_("The company or person who publishes, as readers should see it."),
    )
    strapline = fields.CharField(
        max_length=200, blank=True, help_text=_("One line under the name. Say what readers get here.")
    )
    postal_address = fields.TextField(
        max_length=500,
        default="Postal address not set",
        help_text=_("The law asks for it at the foot of every newsletter. One line per line."),
    )
    logo = models.ImageField(
        upload_to="publication/",
        blank=True,
        help_text=_("PNG, JPEG or WebP, at least 400 pixels wide. Shown beside the name."),
    )
    accent_colour = fields.CharField(
        max_length=7,
        default="#9b1c1c",
        validators=[validate_colour],
        help_text=_("Links and buttons. Choose a colour that is readable on white."),
    )
    ink_colour = fields.CharField(
        max_length=7, default="#1c1917", validators=[validate_colour], help_text=_("Headlines and text.")
    )
    typeface = fields.CharField(
        _("type"),
        max_length=12,
        choices=TypeChoice.choices,
        default=TypeChoice.BROADSHEET,
        help_text=_("Of headlines and texts on the site. All three have the letters of English, Russian and Kyrgyz."),
    )
    sender_name = fields.CharField(
        max_length=120,
        blank=True,
        validators=[message.validate_header_text],
        help_text=_("Who a mail comes from. Empty: the publication's name."),
    )
    sender_address = fields.EmailField(
        default="news@localhost.localdomain",
        help_text=_("The From address of every mail. Its domain needs SPF, DKIM and DMARC."),
    )
    reply_to = fields.EmailField(
        blank=True, help_text=_("Where answers go. Empty: answers go to the sender's address.")
    )
    contact_address = fields.EmailField(blank=True, help_text=_("Shown to readers who want to reach a person."))
    language = fields.CharField(
        max_length=12,
        default="en",
        validators=[validate_language],
        help_text=_("Language of the pages and mails, such as en or ky."),
    )
    further_languages = ArrayField(
        models.CharField(max_length=12),
        default=list,
        blank=True,
        help_text=_("Readers find the pages in these languages too, each under its own address, such as /ru/."),
    )
    mail_format = fields.CharField(
        _("format of mails"),
        max_length=12,
        choices=Format.choices,
        default=Format.FULL,
        help_text=_("For readers who have chosen none on their preference page."),
    )
    time_zone = fields.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text=_("Dates on the site are shown in this zone."),
    )

    objects: ClassVar[PublicationManager] = PublicationManager()

    class Meta:
        verbose_name = _("publication")
        verbose_name_plural = _("publication")
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=THE_ROW), name="publication_is_one_row"),
            models.CheckConstraint(
                condition=models.Q(typeface__in=TypeChoice.values), name="publication_typeface_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(mail_format__in=Format.values), name="publication_mail_format_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def languages(self) -> list[str]:
        """The languages of its pages: the first is served without a prefix, each further one under its own."""
        return list(dict.fromkeys([self.language, *self.further_languages]))

    @property
    def mail_logo_width(self) -> int:
        """How wide the logo is when it is 48 pixels high in a mail. A lost file stops no mail."""
        try:
            return max(24, min(280, round(48 * self.logo.width / self.logo.height)))
        except (OSError, TypeError, ValueError, ZeroDivisionError):
            return 120

    def sender(self) -> message.Sender:
        """The publication's default sender, for letters and for newsletters that set none."""
        return message.Sender(name=self.sender_name or self.name, address=self.sender_address, reply_to=self.reply_to)
