"""The sandboxed half of `core.pictures`: decode, turn upright, shrink, encode. Reads no settings."""

import contextlib
import io
import warnings
from typing import Any

from PIL import Image, ImageCms, ImageOps

from mailkit import sandbox

READ_FORMATS = ["JPEG", "PNG", "WEBP", "GIF"]
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 85, "optimize": True, "progressive": True},
    "PNG": {"optimize": True},
    "WEBP": {"quality": 82, "method": 4},
    # The speeds below 9 take three to four times as long, for files that are a fifth smaller (decision 0154).
    "AVIF": {"quality": 60, "speed": 9, "max_threads": 1},
}
FEW_COLOURS = 256

NO_PICTURE, TOO_MANY_PIXELS, TOO_MANY_FRAMES, DAMAGED = "no_picture", "too_many_pixels", "too_many_frames", "damaged"


class Refused(Exception):
    """The picture is not used; str() is the reason as a code, whose sentence `core.pictures` has."""


def respond(request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """Re-encode the picture, also in the sizes and formats asked for, or only parts; or say by a code why not.

    The head tells of each: format, width, height and how many of the bytes are its own.
    """
    try:
        opened = _open(payload, max_pixels=request["max_pixels"], max_frames=request["max_frames"])
        picture = _decode(opened, width=request["width"])
    except Refused as error:
        return {"refused": str(error)}, b""
    if request.get("crops"):
        encoded = [_encoded(_cropped(picture, **crop), "JPEG") for crop in request["crops"]]
        return {"pictures": [head for head, _ in encoded]}, b"".join(body for _, body in encoded)
    encoded = [_encoded(picture, _fitting_format(picture, came_as=str(opened.format)))]
    for width in _fitting_widths(picture, request["widths"]):
        smaller = _shrunk(picture, width)
        encoded += [_encoded(smaller, wanted_format) for wanted_format in request["formats"]]
    return {"pictures": [head for head, _ in encoded]}, b"".join(body for _, body in encoded)


def _fitting_widths(picture: Image.Image, widths: list[int]) -> list[int]:
    """Those that the picture has, and its own where that is between two of them: nothing is enlarged or wasted."""
    own = min(picture.width, max(widths, default=picture.width))
    return sorted({own, *(width for width in widths if width <= picture.width)})


def _encoded(picture: Image.Image, wanted: str) -> tuple[dict[str, Any], bytes]:
    if wanted == "JPEG" and picture.mode != "RGB":
        picture = _on_white(picture)
    encoded = io.BytesIO()
    picture.save(encoded, format=wanted, **SAVE_OPTIONS[wanted])
    head = {"format": wanted, "width": picture.width, "height": picture.height, "bytes": encoded.tell()}
    return head, encoded.getvalue()


def _open(payload: bytes, *, max_pixels: int, max_frames: int) -> Image.Image:
    """Read the headers and judge them before a single pixel is unpacked."""
    Image.MAX_IMAGE_PIXELS = None  # ours is the stricter limit, and it refuses instead of warning
    try:
        opened = Image.open(io.BytesIO(payload), formats=READ_FORMATS)
        if opened.width * opened.height > max_pixels:
            raise Refused(TOO_MANY_PIXELS)
        if getattr(opened, "n_frames", 1) > max_frames:
            raise Refused(TOO_MANY_FRAMES)
        opened.seek(0)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise Refused(NO_PICTURE) from error
    return opened


def _decode(opened: Image.Image, *, width: int) -> Image.Image:
    """The first frame, upright, in sRGB, at most `width` wide, with nothing attached to it."""
    try:
        opened.load()
        picture = ImageOps.exif_transpose(opened)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise Refused(DAMAGED) from error
    picture = _shrunk(_in_srgb(picture), width)
    bare = Image.new(picture.mode, picture.size)
    bare.paste(picture)
    return bare


def _shrunk(picture: Image.Image, width: int) -> Image.Image:
    if picture.width <= width:
        return picture
    height = max(1, round(picture.height * width / picture.width))
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _cropped(picture: Image.Image, *, width: int, height: int, x: float, y: float) -> Image.Image:
    """The largest part of this shape with the point (x, y), shares of the picture, as near its middle as possible."""
    shape = width / height
    wide = min(picture.width, round(picture.height * shape)) or 1
    high = min(picture.height, round(wide / shape)) or 1
    left = min(max(0, round(picture.width * x - wide / 2)), picture.width - wide)
    top = min(max(0, round(picture.height * y - high / 2)), picture.height - high)
    part = picture.crop((left, top, left + wide, top + high))
    return part.resize((width, height), Image.Resampling.LANCZOS) if wide > width else part


def _in_srgb(picture: Image.Image) -> Image.Image:
    """RGB or RGBA; a colour profile is applied rather than carried along."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in {"RGB", "CMYK"}:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            converted = ImageCms.profileToProfile(
                picture, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            picture = converted or picture
    if picture.mode in {"I;16", "I", "F"}:
        picture = picture.convert("I").point(lambda value: value / 256).convert("L")
    transparent = picture.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in picture.info
    return picture.convert("RGBA" if transparent else "RGB")


def _fitting_format(picture: Image.Image, *, came_as: str) -> str:
    if came_as == "JPEG":
        return "JPEG"
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255):
        return "PNG"
    if came_as == "PNG" or picture.convert("RGB").getcolors(FEW_COLOURS):
        return "PNG"
    return "JPEG"


def _on_white(picture: Image.Image) -> Image.Image:
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    return ground


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sandbox.serve(respond)
