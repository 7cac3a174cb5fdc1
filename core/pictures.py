"""Uploaded pictures made harmless: decoded in a sandboxed process, encoded again, with nothing of the original left.

A file of 20 KB can unpack to a gigabyte, a decoder can have holes, and the
metadata of a photograph can tell where a source lives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

from django.utils.translation import gettext_lazy as _

from mailkit import sandbox

Format = Literal["AVIF", "JPEG", "PNG", "WEBP"]

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_FRAMES = 50
WIDEST = 20_000  # wider than any picture of ours
SECONDS = 20.0
# Address space: 40 megapixels are 160 MB with transparency, and a few copies are held at once.
MEGABYTES = 1_024

EXTENSIONS: dict[str, str] = {"AVIF": "avif", "JPEG": "jpg", "PNG": "png", "WEBP": "webp"}

TOO_BIG = _("The picture's file is too large: at most 10 MB are possible. Please save it smaller.")
EMPTY = _("The picture's file is empty. Please choose another one.")
TOO_SLOW = _("The picture took too long to read. Please save it smaller, or as a plain JPEG.")
BROKEN = _("The picture could not be read. Please save it again as JPEG or PNG.")
# By the codes of `core.picture_child`, which this process does not load: it needs the decoders.
REFUSALS = {
    "no_picture": _("The file is not a picture that can be used. Please choose a JPEG, PNG, WebP or GIF file."),
    "too_many_pixels": _("The picture has too many pixels: at most 40 million are possible. Please save it smaller."),
    "too_many_frames": _("The picture is an animation with too many frames. Please choose a still picture."),
    "damaged": _("The picture is damaged or incomplete. Please save it again and upload it again."),
}


class PictureRefused(ValueError):
    """The picture is not used; str() is a sentence for the person who uploaded it."""


@dataclass(frozen=True, slots=True)
class CleanPicture:
    """A picture that we encoded ourselves: upright, in sRGB, without metadata."""

    bytes: bytes
    format: Format
    width: int
    height: int

    @property
    def extension(self) -> str:
        """How a file of this format ends, without a dot."""
        return EXTENSIONS[self.format]


def clean(file: IO[Any] | bytes, *, max_width: int) -> CleanPicture:
    """Read an upload (JPEG, PNG, WebP or GIF) and return it encoded again, at most `max_width` pixels wide.

    After: JPEG stays JPEG; the others are PNG if they are transparent or few-coloured,
    else JPEG, because mail programs show no WebP. Of an animation, the first frame is kept.
    On failure: PictureRefused.
    """
    return _work(_content(file), width=max_width, widths=[], formats=[])[0]


def clean_in_sizes(
    file: IO[Any] | bytes, *, max_width: int, widths: Sequence[int], formats: Sequence[Format]
) -> tuple[CleanPicture, list[CleanPicture]]:
    """As `clean`, and the same picture at each of `widths` in each of `formats`.

    Widths that the picture does not have are left out, and its own is added where it is below the largest of them.
    The file is decoded once. On failure: PictureRefused.
    """
    master, *renditions = _work(_content(file), width=max_width, widths=widths, formats=formats)
    return master, renditions


def cropped(file: IO[Any] | bytes, *, shapes: Sequence[tuple[int, int]], x: float, y: float) -> list[CleanPicture]:
    """The parts of a picture with these widths and heights around a point, shares of it, as JPEG; never enlarged.

    On failure: PictureRefused.
    """
    crops = [{"width": width, "height": height, "x": x, "y": y} for width, height in shapes]
    return _work(_content(file), width=None, widths=[], formats=[], crops=crops)


def _content(file: IO[Any] | bytes) -> bytes:
    if isinstance(file, bytes):
        content = file
    else:
        file.seek(0)
        content = file.read(MAX_BYTES + 1)
        file.seek(0)
    return content


def _work(
    content: bytes, *, width: int | None, widths: Sequence[int], formats: Sequence[Format], crops: Any = ()
) -> list[CleanPicture]:
    if not content:
        raise PictureRefused(EMPTY)
    if len(content) > MAX_BYTES:
        raise PictureRefused(TOO_BIG)
    request = {"width": width or WIDEST, "crops": list(crops), "widths": list(widths), "formats": list(formats)}
    try:
        head, body = sandbox.run(
            module="core.picture_child",
            request=request | {"max_pixels": MAX_PIXELS, "max_frames": MAX_FRAMES},
            payload=content,
            seconds=SECONDS,
            megabytes=MEGABYTES,
        )
    except sandbox.TimedOut:
        raise PictureRefused(TOO_SLOW) from None
    except sandbox.Failed:
        raise PictureRefused(BROKEN) from None
    if "refused" in head:
        raise PictureRefused(REFUSALS[head["refused"]])
    return list(_cut(head["pictures"], body))


def _cut(heads: list[dict[str, Any]], body: bytes) -> Iterator[CleanPicture]:
    """The pictures that follow each other in the child's response."""
    start = 0
    for head in heads:
        end = start + head["bytes"]
        yield CleanPicture(bytes=body[start:end], format=head["format"], width=head["width"], height=head["height"])
        start = end
