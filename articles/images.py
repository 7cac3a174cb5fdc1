"""A story's pictures: validated on upload, stored in several sizes, deleted with their files."""

import logging
import mimetypes
import secrets
from collections.abc import Iterator
from typing import IO, Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.expressions import RawSQL
from django.db.models.signals import post_delete
from django.dispatch import receiver

from articles.models import Article, ArticleQuerySet, Image
from articles.picture_model import RATIOS, SHARE_HEIGHT, SHARE_WIDTH
from core import pictures
from core.pictures import PictureRefused
from publication import urls
from publication.feed_formats import Enclosure

__all__ = ["Enclosure", "PictureRefused", "enclosure", "files_of", "in_use", "remove_files", "store"]

log = logging.getLogger(__name__)

AVIF = "avif"
WIDTHS = (480, 960, 1600, 2400)
MASTER_WIDTH = 2400
ENCLOSED_WIDTH = 1200
FOLDER = "images"
PARTS = ("share", "ratios")
# The function and its index are made by the migration 0009.
NAMING = "SELECT id FROM articles_article WHERE articles_pictures_in(body_markdown) @> ARRAY[%s::bigint]"


def store(*, image: Image, upload: IO[Any] | bytes, actor: User | None) -> Image:
    """Take `upload` in as the picture of `image`, whose words are set, and save the row.

    After: a file re-encoded under a name that tells nothing, and JPEG and WebP renditions of
    those WIDTHS that the picture has, and of its own where that is below the largest, and the parts for link previews
    and search engines. AVIF is made later (`complete`).
    Files that the row had before stay, because mails that were sent show them. On failure: PictureRefused, and no
    new file is left.
    """
    master, smaller = pictures.clean_in_sizes(upload, max_width=MASTER_WIDTH, widths=WIDTHS, formats=("JPEG", "WEBP"))
    before = _files_of_row(image)
    written: list[str] = []
    try:
        stem = f"{FOLDER}/{secrets.token_hex(12)}"
        # A name, not a file: a form has put the upload here, and saving the row would store that too.
        image.file = _write(f"{stem}.{master.extension}", master.bytes, written)
        image.width, image.height = master.width, master.height
        image.renditions = _keep(stem, smaller, written) | _parts(image, master.bytes, written)
        image.former_files = [*image.former_files, *before]
        if not image.pk:
            image.uploaded_by = actor
        image.save()
    except BaseException:
        remove_files(written)
        raise
    return image


def focus(*, image: Image, x: float, y: float) -> None:
    """Set the focal point, and cut the picture for link previews again. On failure: PictureRefused, nothing changed."""
    written: list[str] = []
    before = [name for kind in PARTS for name in image.renditions.get(kind, {}).values()]
    image.focal_x, image.focal_y = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
    try:
        with default_storage.open(str(image.file.name)) as master:
            image.renditions = image.renditions | _parts(image, master.read(), written)
        image.save(update_fields=["focal_x", "focal_y", "renditions"])
    except BaseException:
        remove_files(written)
        raise
    transaction.on_commit(lambda: remove_files(before))


def incomplete(*, most: int) -> list[int]:
    """Numbers of the newest pictures that have no AVIF yet."""
    rows = Image.objects.exclude(file="").exclude(renditions__has_key=AVIF).order_by("-pk")
    return list(rows.values_list("pk", flat=True)[:most])


def complete(*, pk: int) -> bool:
    """Make what a picture lacks: AVIF in every size, and the parts that older pictures have not. Whether it did.

    May run any number of times, at once or again. A picture that cannot be read is not tried again.
    """
    image = Image.objects.filter(pk=pk).exclude(renditions__has_key=AVIF).first()
    if image is None:
        return False
    written: list[str] = []
    try:
        completed = _missing(image, written)
        with transaction.atomic():
            row = Image.objects.select_for_update(no_key=True).get(pk=pk)
            is_same = row.file.name == image.file.name and AVIF not in row.renditions
            if is_same:
                # A focal point that was moved meanwhile has its parts already.
                row.renditions = completed | row.renditions
                row.save(update_fields=["renditions"])
    except BaseException:
        remove_files(written)
        raise
    current = set(files_of(row))
    remove_files([name for name in written if name not in current])
    return is_same


def _missing(image: Image, written: list[str]) -> dict[str, dict[str, str]]:
    try:
        with default_storage.open(str(image.file.name)) as file:
            content = file.read()
        _master, sizes = pictures.clean_in_sizes(content, max_width=MASTER_WIDTH, widths=WIDTHS, formats=("AVIF",))
        parts = {} if "ratios" in image.renditions else _parts(image, content, written)
    except (OSError, PictureRefused) as error:
        log.warning("Picture %d has no AVIF: %s.", image.pk, type(error).__name__)
        return {AVIF: {}}
    stem = str(image.file.name).rpartition(".")[0]
    missing: dict[str, dict[str, str]] = {AVIF: {}} | _keep(stem, sizes, written) | parts
    if "share" in missing and "share" in image.renditions:
        # It has one, so the new one is not needed.
        remove_files(list(missing.pop("share").values()))
    return missing


def files_of(image: Image) -> Iterator[str]:
    """Every stored file of the picture."""
    if image.file.name:
        yield image.file.name
    for by_width in image.renditions.values():
        yield from by_width.values()
    yield from image.former_files


def _files_of_row(image: Image) -> list[str]:
    """What the stored row has; a form may have put something else into `image` already."""
    row = Image.objects.filter(pk=image.pk).first() if image.pk else None
    return [name for name in files_of(row) if name not in row.former_files] if row else []


def remove_files(names: list[str]) -> None:
    """Delete stored files; one that is gone already is no fault."""
    for name in names:
        default_storage.delete(name)


def enclosure(image: Image) -> Enclosure:
    """The picture as a feed names it: with a whole address, its type, and its bytes (0 when the file is gone)."""
    name, width = image.file_for(ENCLOSED_WIDTH)
    try:
        length = default_storage.size(name)
    except OSError:
        length = 0
    return Enclosure(
        url=urls.absolute(default_storage.url(name)),
        type=mimetypes.guess_type(name)[0] or "image/jpeg",
        length=length,
        width=width,
        height=round(image.height * width / image.width) if image.width else 0,
    )


def in_use(image: Image) -> ArticleQuerySet:
    """Stories that show the picture above or inside their text."""
    return Article.objects.filter(lead_image=image) | naming(image)


def naming(image: Image) -> ArticleQuerySet:
    """Stories whose text names the picture by its number."""
    return Article.objects.filter(pk__in=RawSQL(NAMING, [image.pk]))  # noqa: S611  # a constant; the number is a parameter


# The admin imports this module at start, so the listener is there in every process.
@receiver(post_delete, sender=Image)
def _take_files_along(instance: Image, **_signal: Any) -> None:
    """Once the deletion is committed, however it was asked for, the files go too."""
    names = list(files_of(instance))
    transaction.on_commit(lambda: remove_files(names))


def _keep(stem: str, renditions: list[pictures.CleanPicture], written: list[str]) -> dict[str, dict[str, str]]:
    stored: dict[str, dict[str, str]] = {}
    for each in renditions:
        name = f"{stem}-{each.width}.{each.extension}"
        stored.setdefault(each.format.lower(), {})[str(each.width)] = _write(name, each.bytes, written)
    return stored


def _parts(image: Image, content: bytes, written: list[str]) -> dict[str, dict[str, str]]:
    """The parts around the focal point: for link previews, and in the shapes of search engines."""
    shapes = [(SHARE_WIDTH, SHARE_HEIGHT), *RATIOS.values()]
    parts = pictures.cropped(content, shapes=shapes, x=image.focal_x, y=image.focal_y)
    stem = f"{FOLDER}/{secrets.token_hex(12)}"
    labels = ["share", *RATIOS]
    names = [
        _write(f"{stem}-{label}.{part.extension}", part.bytes, written)
        for label, part in zip(labels, parts, strict=True)
    ]
    return {"share": {str(SHARE_WIDTH): names[0]}, "ratios": dict(zip(RATIOS, names[1:], strict=True))}


def _write(name: str, content: bytes, written: list[str]) -> str:
    stored_name = default_storage.save(name, ContentFile(content))
    written.append(stored_name)
    return stored_name
