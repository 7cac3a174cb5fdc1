"""The sandboxed half of `core.drawings`: a headline on a card, initials or a logo on an icon. Reads no settings."""

import io
import warnings
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from mailkit import sandbox

WHITE: Final = "#ffffff"
MARGIN: Final = 72
BAR: Final = 14
LARGEST, SMALLEST, STEP = 84, 40, 4
LEADING: Final = 1.18
NAME_SIZE: Final = 34
ELLIPSIS: Final = "…"


class Face:
    """A typeface in files for each script, at one size. `ranges` are the characters of a file."""

    def __init__(self, files: list[dict[str, Any]], size: int) -> None:
        self._parts = [(ImageFont.truetype(each["path"], size), each["ranges"]) for each in files]

    def runs(self, text: str) -> list[tuple[ImageFont.FreeTypeFont, str]]:
        """The text in pieces that one file has each."""
        runs: list[tuple[ImageFont.FreeTypeFont, str]] = []
        for letter in text:
            font = self._font(letter) or self._parts[0][0]
            if runs and runs[-1][0] is font:
                runs[-1] = (font, runs[-1][1] + letter)
            else:
                runs.append((font, letter))
        return runs

    def knows(self, text: str) -> bool:
        """Whether each letter is in a file."""
        return all(self._font(letter) for letter in text)

    def length(self, text: str) -> float:
        """How wide the text is, in pixels."""
        return sum(font.getlength(run) for font, run in self.runs(text))

    def write(self, draw: ImageDraw.ImageDraw, x: float, baseline: float, text: str, colour: str) -> None:
        """The text from x on, standing on the line."""
        for font, run in self.runs(text):
            draw.text((x, baseline), run, font=font, fill=colour, anchor="ls")
            x += font.getlength(run)

    def _font(self, letter: str) -> ImageFont.FreeTypeFont | None:
        code = ord(letter)
        return next((font for font, ranges in self._parts if any(low <= code <= high for low, high in ranges)), None)


def respond(request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """A card or an icon, as JPEG or PNG."""
    picture = _opened(payload)
    drawn = _icon(request, picture) if request["kind"] == "icon" else _card(request, picture)
    out = io.BytesIO()
    if request["kind"] == "icon":
        drawn.save(out, "PNG", optimize=True)
    else:
        drawn.save(out, "JPEG", quality=88, optimize=True, progressive=True)
    return {"bytes": out.tell()}, out.getvalue()


def _opened(payload: bytes) -> Image.Image | None:
    """The photograph or the logo; a file that is neither is left out."""
    if not payload:
        return None
    Image.MAX_IMAGE_PIXELS = 40_000_000
    try:
        with Image.open(io.BytesIO(payload), formats=["JPEG", "PNG", "WEBP"]) as opened:
            return opened.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _card(request: dict[str, Any], photograph: Image.Image | None) -> Image.Image:
    width, height = request["width"], request["height"]
    ground, ink = (request["ink"], WHITE) if photograph else (WHITE, request["ink"])
    card = Image.new("RGB", (width, height), ground)
    if photograph:
        card.paste(photograph.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
        card = _darkened(card)
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, 0, width, BAR), fill=request["accent"])
    name = Face(request["fonts"], NAME_SIZE)
    foot = height - MARGIN
    if name.knows(request["name"]):
        text = _cut(name, request["name"], width - 2 * MARGIN)
        name.write(draw, MARGIN, foot, text, ink)
        draw.rectangle((MARGIN, foot - NAME_SIZE - 34, MARGIN + 96, foot - NAME_SIZE - 26), fill=request["accent"])
    if name.knows(request["headline"]):
        box = (width - 2 * MARGIN, foot - NAME_SIZE - 70 - MARGIN)
        size, lines = _fitting(request["fonts"], request["headline"], *box)
        face, line = Face(request["fonts"], size), size * LEADING
        top = foot - NAME_SIZE - 96 - line * (len(lines) - 1) if photograph else MARGIN + BAR + size * 0.9
        for number, words in enumerate(lines):
            face.write(draw, MARGIN, top + number * line, words, ink)
    return card


def _darkened(card: Image.Image) -> Image.Image:
    """Dark from above to below, so that white letters can be read on any photograph."""
    shade = Image.linear_gradient("L").resize(card.size).point(lambda value: 60 + value * 165 // 255)
    return Image.composite(Image.new("RGB", card.size, "#000000"), card, shade)


def _fitting(fonts: list[dict[str, Any]], text: str, width: int, height: int) -> tuple[int, list[str]]:
    """The largest size at which the text is in its box, and its lines; at the smallest, it is cut."""
    for size in range(LARGEST, SMALLEST - 1, -STEP):
        lines = _wrapped(Face(fonts, size), text, width)
        if len(lines) * size * LEADING <= height and all(Face(fonts, size).length(line) <= width for line in lines):
            return size, lines
    face = Face(fonts, SMALLEST)
    most = int(height / (SMALLEST * LEADING))
    lines = [_cut(face, line, width) for line in _wrapped(face, text, width)]
    if len(lines) > most:
        lines = [*lines[: most - 1], _cut(face, lines[most - 1] + ELLIPSIS * 2, width)]
    return SMALLEST, lines


def _wrapped(face: Face, text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and face.length(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _cut(face: Face, text: str, width: int) -> str:
    """The text, or as much of it as is in the width, with an ellipsis."""
    if face.length(text) <= width and not text.endswith(ELLIPSIS * 2):
        return text
    text = text.rstrip(ELLIPSIS)
    while text and face.length(text + ELLIPSIS) > width:
        text = text[:-1].rstrip()
    return text + ELLIPSIS


def _icon(request: dict[str, Any], logo: Image.Image | None) -> Image.Image:
    """A square: the logo on white, or the initials on the accent. `inset` is the share that stays free around it."""
    side = request["width"]
    free = round(side * (1 - 2 * request["inset"]))
    if logo:
        icon = Image.new("RGB", (side, side), WHITE)
        logo.thumbnail((free, free), Image.Resampling.LANCZOS)
        icon.paste(logo, ((side - logo.width) // 2, (side - logo.height) // 2), logo)
        return icon
    icon = Image.new("RGB", (side, side), request["accent"])
    face = Face(request["fonts"], round(free * (0.8 if len(request["name"]) == 1 else 0.55)))
    if face.knows(request["name"]):
        middle = (side - face.length(request["name"])) / 2
        face.write(ImageDraw.Draw(icon), middle, side / 2 + free * (0.28 if len(request["name"]) == 1 else 0.19),
                   request["name"], request["on_accent"])  # fmt: skip
    return icon


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sandbox.serve(respond)
