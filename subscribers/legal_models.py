"""The models of legal texts: terms of use and privacy policy, in versions and languages."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from publication import fields, languages
from publication.translated import Translated


class LegalDocument(Translated):
    """Terms of use, privacy policy: a text that readers agree to, in versions."""

    TRANSLATED = ("title",)

    class Kind(models.TextChoices):
        TERMS = "terms", _("Terms of use")
        PRIVACY = "privacy", _("Privacy policy")
        OTHER = "other", _("Other")

    kind = fields.CharField(max_length=8, choices=Kind.choices, default=Kind.OTHER)
    slug = fields.SlugField(max_length=80, unique=True, help_text=_("The address: /legal/…/."))
    title = fields.CharField(max_length=120)
    position = models.PositiveSmallIntegerField(default=0, help_text=_("Order at the foot of the pages."))

    class Meta:
        ordering = ["position", "title"]
        constraints = [
            models.UniqueConstraint(fields=["kind"], condition=~Q(kind="other"), name="legal_one_document_per_kind"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("legal", args=[self.slug])


class LegalVersion(models.Model):
    """One text of a document, in one language. Once published, a trigger of the database keeps it as it is."""

    document = models.ForeignKey(LegalDocument, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(editable=False)
    # Numbers are counted over all languages, so that a document and a number name one text.
    language = fields.CharField(max_length=12, blank=True, default="")
    # Who agreed to a translation agreed to the version that it translates. Empty: a text of its own.
    translation_of = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="translations",
        verbose_name=_("translation of"),
        help_text=_("The version that says the same in another language. Readers who agree to this text agree to it."),
    )
    body_markdown = fields.TextField("text", help_text="Markdown.")
    body_html = fields.TextField(editable=False, blank=True)
    sha256 = fields.CharField(max_length=64, editable=False, blank=True)
    change_note = fields.CharField(
        max_length=300, blank=True, help_text=_("What changed since the version before, for readers.")
    )
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["document", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["document", "number"], name="legal_version_number_once"),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True) | ~Q(sha256=""), name="legal_version_is_hashed"
            ),
        ]
        permissions = [("publish_legalversion", "Can publish a version of a legal document")]

    def __str__(self) -> str:
        return f"{self.document.title}, version {self.number}"

    def get_absolute_url(self) -> str:
        return languages.path_in(self.language, "legal_version", args=[self.document.slug, self.number])

    @property
    def edition(self) -> int:
        """The number by which versions are compared: its own, or that of the version that it translates."""
        return self.translation_of.number if self.translation_of else self.number
