"""Uploaded pictures made harmless: decoded in a confined process, encoded anew, nothing of the original kept.

A file of 20 KB can unpack to a gigabyte, a decoder can have holes, and the
metadata of a photograph can tell where a source lives.
"""

from dataclasses import dataclass
from typing import IO, Any, Literal

from mailkit import confined

Format = Literal["JPEG", "PNG", "WEBP"]

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_FRAMES = 50
SECONDS = 20.0
# Address space: 40 megapixels are 160 MB with transparency, and a few copies are held at once.
MEGABYTES = 1_024

EXTENSIONS: dict[str, str] = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}

TOO_BIG = "The picture's file is too large: at most 10 MB are possible. Please save it smaller."
EMPTY = "The picture's file is empty. Please choose another one."
TOO_SLOW = "The picture took too long to read. Please save it smaller, or as a plain JPEG."
BROKEN = "The picture could not be read. Please save it anew as JPEG or PNG."


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
    """Read an upload (JPEG, PNG, WebP or GIF) and return it encoded anew, at most `max_width` pixels wide.

    After: JPEG stays JPEG; the others are PNG if they are transparent or few-coloured,
    else JPEG, because mail programs show no WebP. Of an animation, the first frame is kept.
    On failure: PictureRefused.
    """
    return _work(_content(file), width=max_width, format="")


def rendition(data: bytes, width: int, *, format: Format | None = None) -> bytes:  # noqa: A002  # Pillow's word
    """A clean picture at `width` pixels, never enlarged, in its own format or in `format`.

    On failure: PictureRefused.
    """
    return _work(data, width=width, format=format or "").bytes


def _content(file: IO[Any] | bytes) -> bytes:
    if isinstance(file, bytes):
        content = file
    else:
        file.seek(0)
        content = file.read(MAX_BYTES + 1)
        file.seek(0)
    return content


def _work(content: bytes, *, width: int, format: str) -> CleanPicture:  # noqa: A002  # Pillow's word
    if not content:
        raise PictureRefused(EMPTY)
    if len(content) > MAX_BYTES:
        raise PictureRefused(TOO_BIG)
    request = {"width": width, "format": format, "max_pixels": MAX_PIXELS, "max_frames": MAX_FRAMES}
    try:
        head, body = confined.run(
            module="publication.picture_child",
            request=request,
            payload=content,
            seconds=SECONDS,
            megabytes=MEGABYTES,
        )
    except confined.TookTooLong:
        raise PictureRefused(TOO_SLOW) from None
    except confined.Failed:
        raise PictureRefused(BROKEN) from None
    if "refused" in head:
        raise PictureRefused(head["refused"])
    return CleanPicture(bytes=body, format=head["format"], width=head["width"], height=head["height"])
