"""Pictures are taken in safely, image in sizes, and removed with their files."""

import contextlib
import io
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from PIL import Image as Pillow

from articles import images
from articles.models import Image
from articles.tests.conftest import StoryMaker, png
from core import pictures
from tests.table import rows


def stored(media: Path) -> set[str]:
    return {each.name for each in media.rglob("*") if each.is_file()}


def test_a_picture_gets_renditions_and_a_name_that_tells_nothing(photograph: Image, media: Path) -> None:
    assert (photograph.width, photograph.height) == (1200, 800)
    assert sorted(photograph.renditions["jpeg"], key=int) == ["480", "960", "1200"]
    assert len(stored(media)) == 11
    with Pillow.open(media / photograph.renditions["webp"]["480"]) as small:
        assert (small.format, small.size) == ("WEBP", (480, 320))
    with Pillow.open(media / photograph.renditions["jpeg"]["960"]) as large:
        assert (large.format, large.size) == ("JPEG", (960, 640))


def test_the_fitting_rendition_is_chosen(photograph: Image) -> None:
    assert photograph.url_for(100).endswith("-480.jpg")
    assert photograph.url_for(480).endswith("-480.jpg")
    assert photograph.url_for(600).endswith("-960.jpg")
    assert photograph.url_for(5000).endswith("-1200.jpg")


@rows(
    ("width", "renditions"),
    [
        (200, [200]),
        (480, [480]),
        (481, [480, 481]),
        (960, [480, 960]),
        (1_599, [480, 960, 1_599]),
        (1_600, [480, 960, 1_600]),
        (1_601, [480, 960, 1_600, 1_601]),
        (3_000, [480, 960, 1_600, 2_400]),
    ],
)
def test_a_picture_has_each_size_that_it_is_large_enough_for(
    media: Path, db: None, width: int, renditions: list[int]
) -> None:
    image = images.store(image=Image(alt="Dot"), upload=png(width, 20), actor=None)
    assert sorted(map(int, image.renditions["jpeg"])) == sorted(map(int, image.renditions["webp"])) == renditions
    [(kind, srcset)] = image.page_sources
    assert (kind, srcset.count(",")) == ("image/webp", len(renditions) - 1)


def test_a_small_picture_is_not_enlarged(media: Path, db: None) -> None:
    small = images.store(image=Image(alt="Dot"), upload=png(200, 100), actor=None)
    assert list(small.renditions["jpeg"]) == ["200"]


def test_the_whereabouts_in_a_photograph_are_gone(media: Path, db: None) -> None:
    out = io.BytesIO()
    exif = Pillow.Exif()
    exif[0x010E] = "SECRET-SOURCE"
    Pillow.new("RGB", (800, 600), "red").save(out, "JPEG", exif=exif)
    assert b"SECRET-SOURCE" in out.getvalue()
    images.store(image=Image(alt="Red"), upload=out.getvalue(), actor=None)
    for each in media.rglob("*"):
        assert not each.is_file() or b"SECRET-SOURCE" not in each.read_bytes()


@rows(
    "upload",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"\x89PNG\r\n\x1a\n rubbish", b"GIF89a"],
)
def test_what_is_no_picture_leaves_nothing_behind(media: Path, db: None, upload: bytes) -> None:
    with pytest.raises(images.PictureRefused):
        images.store(image=Image(alt="x"), upload=upload, actor=None)
    assert stored(media) == set() if media.exists() else True
    assert not Image.objects.exists()


@contextlib.contextmanager
def room_for(octets: int) -> Iterator[None]:
    """Inside, no file of this process gets longer than that, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_no_half_of_a_picture(photograph: Image, media: Path) -> None:
    """Nothing of the new files, and all of the old ones."""
    before, row = stored(media), Image.objects.values().get()
    out = io.BytesIO()
    Pillow.effect_noise((300, 200), 100).save(out, "PNG")
    with room_for(20_000), pytest.raises(OSError, match="File too large"):
        images.store(image=photograph, upload=out.getvalue(), actor=None)

    assert stored(media) == before
    assert Image.objects.values().get() == row


def test_a_new_file_takes_the_old_ones_place_and_the_old_one_stays_for_sent_mails(
    photograph: Image, media: Path, paul: User, django_capture_on_commit_callbacks: object
) -> None:
    old, former_name = stored(media), photograph.file.name
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # pytest-django's fixture
        images.store(image=photograph, upload=png(500, 400), actor=paul)
    assert old < stored(media)
    assert photograph.file.name != former_name
    assert set(images.files_of(photograph)) == {f"images/{name}" for name in stored(media)}


def test_a_deleted_picture_takes_its_files_along(
    photograph: Image, media: Path, django_capture_on_commit_callbacks: object
) -> None:
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # pytest-django's fixture
        Image.objects.all().delete()
    assert stored(media) == set()


def test_a_picture_knows_the_stories_that_show_it(story: StoryMaker, photograph: Image) -> None:
    above = story(lead_image=photograph)
    inside = story(body_markdown=f"![x](image:{photograph.pk})")
    story(body_markdown="No photograph.")
    assert set(images.in_use(photograph)) == {above, inside}
    assert list(images.naming(photograph)) == [inside]


@rows(
    ("x", "y", "corner"),
    [(0.0, 0.0, (0, 255)), (1.0, 1.0, (255, 0)), (0.5, 0.5, (128, 128))],
)
def test_a_part_is_cut_around_the_focal_point(db: None, x: float, y: float, corner: tuple[int, int]) -> None:
    """Red grows to the right and green upwards, so the middle of the part tells where it was cut."""
    across, down = Pillow.linear_gradient("L").rotate(90).resize((600, 600)), Pillow.linear_gradient("L").rotate(180)
    out = io.BytesIO()
    Pillow.merge("RGB", (across, down.resize((600, 600)), Pillow.new("L", (600, 600)))).save(out, "PNG")
    [part] = pictures.cropped(out.getvalue(), shapes=[(300, 600)], x=x, y=y)
    with Pillow.open(io.BytesIO(part.bytes)) as cut:
        assert cut.size == (300, 600)
        red, _green, _blue = cut.convert("RGB").getpixel((150, 300))  # type: ignore[misc]  # a triple for RGB
        expected = {0: 64, 255: 191, 128: 128}[corner[0]]
        assert abs(red - expected) < 6


def test_link_previews_show_the_part_around_the_focal_point(
    client: Client, story: StoryMaker, photograph: Image, media: Path, django_capture_on_commit_callbacks: object
) -> None:
    before = photograph.renditions["share"]["1200"]
    with Pillow.open(media / before) as share:
        assert share.size == (1200, 630)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # pytest-django's fixture
        images.focus(image=photograph, x=0.31, y=0.0)
    assert photograph.renditions["share"]["1200"] != before
    assert not (media / before).exists()
    article = story(state="published", lead_image=photograph)
    page = client.get(article.get_absolute_url()).content.decode()
    assert 'class="focus-x3 focus-y0"' in page
