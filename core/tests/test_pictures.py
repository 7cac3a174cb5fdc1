"""An uploaded picture becomes ours: judged before it is unpacked, encoded again, with nothing of the original in it."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, ImageCms

from core import pictures

pytestmark = [pytest.mark.slow, pytest.mark.sandboxed]

SIZE = (60, 40)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def photograph(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    channels = [Image.effect_noise(size, 90) for _ in range(3)]
    return Image.merge("RGB", channels).convert(mode)


def one_bit_png(width: int, height: int) -> bytes:
    """A valid PNG of that many pixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = b"\0" * ((width + 7) // 8 + 1)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("mode", "came_as", "becomes"),
    [
        ("RGB", "JPEG", "JPEG"), ("L", "JPEG", "JPEG"), ("CMYK", "JPEG", "JPEG"), ("RGB", "PNG", "PNG"),
        ("P", "PNG", "PNG"), ("1", "PNG", "PNG"), ("LA", "PNG", "PNG"), ("I;16", "PNG", "PNG"), ("P", "GIF", "PNG"),
        ("RGB", "WEBP", "JPEG"),
    ],
)  # fmt: skip
def test_every_kind_of_picture_becomes_jpeg_or_png(mode: str, came_as: str, becomes: str) -> None:
    picture = Image.new(mode, SIZE, 30_000) if mode == "I;16" else photograph(mode)
    clean = pictures.clean(encoded(picture, came_as), max_width=100)
    opened = Image.open(io.BytesIO(clean.bytes))
    assert (clean.format, opened.format) == (becomes, becomes)
    assert (clean.width, clean.height) == opened.size == SIZE
    assert clean.extension == {"JPEG": "jpg", "PNG": "png"}[becomes]


def test_transparency_is_kept() -> None:
    clean = pictures.clean(encoded(Image.new("RGBA", SIZE, (200, 0, 0, 90)), "WEBP", lossless=True), max_width=100)
    assert clean.format == "PNG"
    assert Image.open(io.BytesIO(clean.bytes)).convert("RGBA").getpixel((1, 1)) == (200, 0, 0, 90)


def test_nothing_that_was_attached_survives() -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET place"
    exif.get_ifd(0x8825)[2] = (42.0, 52.0, 28.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options = {"exif": exif, "icc_profile": profile, "dpi": (72, 72)}
    jpeg = encoded(photograph(), "JPEG", comment=b"SECRET comment", xmp=b"<x>SECRET xmp</x>", **options)
    webp = encoded(photograph(), "WEBP", xmp=b"<x>SECRET xmp</x>", **options)
    png = encoded(photograph(), "PNG", **options)
    for upload in (jpeg + b"SECRET tail <script>", webp, png + b"SECRET tail"):
        assert b"SECRET" in upload
        clean = pictures.clean(upload, max_width=100)
        assert b"SECRET" not in clean.bytes
        image = Image.open(io.BytesIO(clean.bytes))
        assert not image.getexif()
        assert not {"comment", "xmp", "exif", "icc_profile"} & set(image.info)


def test_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    clean = pictures.clean(encoded(photograph(size=(60, 20)), "JPEG", exif=exif), max_width=100)
    assert (clean.width, clean.height) == (20, 60)


def test_is_shrunk_and_never_enlarged() -> None:
    upload = encoded(photograph(size=(400, 100)), "JPEG")
    assert (pictures.clean(upload, max_width=200).width, pictures.clean(upload, max_width=200).height) == (200, 50)
    assert pictures.clean(upload, max_width=900).width == 400


def test_sizes() -> None:
    upload = encoded(photograph(size=(400, 100)), "PNG")
    clean, sizes = pictures.clean_in_sizes(upload, max_width=400, widths=(50, 200, 400), formats=("JPEG", "WEBP"))
    assert (clean.format, clean.width) == ("PNG", 400)
    assert [(each.width, each.format) for each in sizes] == [
        (50, "JPEG"), (50, "WEBP"), (200, "JPEG"), (200, "WEBP"), (400, "JPEG"), (400, "WEBP"),
    ]  # fmt: skip
    for each in (clean, *sizes):
        opened = Image.open(io.BytesIO(each.bytes))
        opened.load()
        assert (opened.format, opened.size) == (each.format, (each.width, each.height))


def test_a_picture_that_is_narrower_than_all_sizes_has_its_own() -> None:
    upload = encoded(photograph(size=(40, 10)), "JPEG")
    _, sizes = pictures.clean_in_sizes(upload, max_width=400, widths=(50, 200), formats=("WEBP",))
    assert [(each.width, each.height) for each in sizes] == [(40, 10)]


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """177 megapixels in 21 kB: Pillow alone would only warn."""
    bomb = one_bit_png(13_300, 13_300)
    assert len(bomb) < 25_000
    with pytest.raises(pictures.PictureRefused, match="too many pixels"):
        pictures.clean(bomb, max_width=1_000)


def test_forty_megapixels_are_possible_and_no_more() -> None:
    assert pictures.clean(one_bit_png(8_000, 5_000), max_width=400).height == 250
    with pytest.raises(pictures.PictureRefused, match="too many pixels"):
        pictures.clean(one_bit_png(8_000, 5_001), max_width=400)


def test_of_an_animation_the_first_frame_stays_and_a_film_is_refused() -> None:
    frames = [Image.new("RGB", SIZE, (number * 4, 0, 0)) for number in range(60)]
    short = encoded(frames[10], "GIF", save_all=True, append_images=frames[:40])
    clean = pictures.clean(short, max_width=100)
    assert getattr(Image.open(io.BytesIO(clean.bytes)), "n_frames", 1) == 1
    with pytest.raises(pictures.PictureRefused, match="too many frames"):
        pictures.clean(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), max_width=100)


REFUSED = {
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not a picture"),
    "html": (b"<html><script>alert(1)</script>", "not a picture"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a picture"),
    "bmp": (encoded(photograph(), "BMP"), "not a picture"),
    "tiff": (encoded(photograph(), "TIFF"), "not a picture"),
    "ico": (encoded(photograph(size=(32, 32)), "ICO"), "not a picture"),
    "cut off": (encoded(photograph(size=(300, 300)), "JPEG")[:5_000], "damaged"),
    "cut png": (encoded(photograph(size=(300, 300)), "PNG")[:5_000], "damaged"),
    "empty": (b"", "empty"),
    "large": (b"\xff\xd8\xff" + b"x" * (10 * 1024 * 1024), "too large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_sentence(name: str) -> None:
    upload, sentence = REFUSED[name]
    with pytest.raises(pictures.PictureRefused, match=sentence):
        pictures.clean(io.BytesIO(upload), max_width=100)


def test_a_decoder_out_of_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MEGABYTES", 64)
    with pytest.raises(pictures.PictureRefused, match="could not be read"):
        pictures.clean(one_bit_png(6_000, 6_000), max_width=100)


def test_the_upload_can_be_read_again() -> None:
    upload = io.BytesIO(encoded(photograph(), "JPEG"))
    upload.read(10)
    pictures.clean(upload, max_width=100)
    assert upload.tell() == 0
