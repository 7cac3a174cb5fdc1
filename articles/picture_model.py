"""The abstract base of `articles.models.Image`: a picture's file, its sizes and its texts."""

from django.core.files.storage import default_storage
from django.db import models
from django.utils.translation import gettext_lazy as _

from articles import captions
from publication import fields

# What link previews and messengers ask for.
SHARE_WIDTH, SHARE_HEIGHT = 1200, 630
# What search engines ask for beside it.
RATIOS = {"16x9": (1200, 675), "4x3": (1200, 900), "1x1": (1200, 1200)}


class Picture(models.Model):
    """A picture with its alternative text, caption and credit."""

    # No ImageField: it decodes uploads in the web process. Use `articles.images.store`.
    file = models.FileField(
        "picture", upload_to="images/", help_text=_("JPEG, PNG, WebP or GIF, at most 10 MB and 40 megapixels.")
    )
    alt = fields.CharField(
        "alternative text",
        max_length=300,
        help_text=_("Say what the picture shows, for readers who cannot see it."),
    )
    caption = fields.CharField(max_length=400, blank=True, help_text=_("The line under the picture."))
    credit = fields.CharField(
        max_length=200, blank=True, help_text=_("Photographer and agency, such as “Jane Roe/Agency”.")
    )
    # The point that is seen however the picture is cut: shares of its width and height, from the upper left.
    focal_x = models.FloatField(default=0.5, editable=False)
    focal_y = models.FloatField(default=0.5, editable=False)
    width = models.PositiveIntegerField(default=0, editable=False)
    height = models.PositiveIntegerField(default=0, editable=False)
    renditions = models.JSONField(
        default=dict, editable=False, help_text=_("Format -> width -> stored file; made at upload.")
    )
    # Files that it had before it was replaced: mails that were sent show them.
    former_files = models.JSONField(default=list, editable=False)

    class Meta:
        abstract = True

    def file_for(self, width: int) -> tuple[str, int]:
        """The smallest rendition at least `width` pixels wide, or the widest: its stored name and its width."""
        by_width: dict[str, str] = self.renditions.get("jpeg", {})
        widths = sorted(map(int, by_width))
        if not widths:
            return str(self.file.name), self.width
        fitting = next((each for each in widths if each >= width), widths[-1])
        return by_width[str(fitting)], fitting

    def url_for(self, width: int) -> str:
        """The address of `file_for` that width: a JPEG, which every program shows."""
        return default_storage.url(self.file_for(width)[0])

    @property
    def share_url(self) -> str:
        """The part that link previews show, cut around the focal point; of older pictures, the whole."""
        name = self.renditions.get("share", {}).get(str(SHARE_WIDTH))
        return default_storage.url(name) if name else self.url_for(1600)

    @property
    def ratio_urls(self) -> list[str]:
        """The parts in the three shapes that search engines show; of older pictures, the whole."""
        names: dict[str, str] = self.renditions.get("ratios", {})
        return [default_storage.url(names[shape]) for shape in RATIOS if shape in names] or [self.url_for(1600)]

    @property
    def focus_class(self) -> str:
        """The classes by which a style sheet keeps the focal point in sight; no page of ours has inline styles."""
        return f"focus-x{round(self.focal_x * 10)} focus-y{round(self.focal_y * 10)}"

    @property
    def caption_line(self) -> str:
        """The caption before the credit, if there is one."""
        return captions.caption_before(caption=self.caption, credit=self.credit)

    @property
    def credit_line(self) -> str:
        """Whose the picture is, in words."""
        return captions.credit_line(self.credit)

    @property
    def page_url(self) -> str:
        """For a page, where a browser does not choose from `srcset`."""
        return self.url_for(960)

    @property
    def small_url(self) -> str:
        """For a card in a mail, and for the library."""
        return self.url_for(480)

    @property
    def face_url(self) -> str:
        """For a face in a small circle."""
        return self.url_for(160)

    @property
    def page_sources(self) -> list[tuple[str, str]]:
        """Type and srcset of the formats that a browser prefers to JPEG, the smallest first."""
        formats = (kind for kind in ("avif", "webp") if self.renditions.get(kind))
        return [(f"image/{kind}", self.srcset(kind)) for kind in formats]

    def srcset(self, kind: str = "jpeg") -> str:
        """Every rendition of a format with its width, as the srcset attribute wants it."""
        by_width: dict[str, str] = self.renditions.get(kind, {})
        return ", ".join(f"{default_storage.url(by_width[width])} {width}w" for width in sorted(by_width, key=int))
