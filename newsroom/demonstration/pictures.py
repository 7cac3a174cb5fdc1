"""Draws the pictures of the demonstration, so that it carries nobody else's photographs.

Each drawing is a function that paints on a `Sheet`; `draw(name=...)` returns it as PNG bytes.
"""

import io
import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1600, 1067
# Painted this many times larger and scaled down, which smooths the edges.
FINE = 2

CREAM, INK, SLATE, MIST = "#efe8dc", "#1f2430", "#5b6b7b", "#c9cfd4"
RED, GOLD, TEAL, DEEP = "#d9512c", "#d8a437", "#2f6f73", "#17323a"

Point = tuple[float, float]


class UnknownPictureError(LookupError):
    """No drawing has this name."""


class Sheet:
    """Paper of 1600 by 1067 units to draw on."""

    def __init__(self, paper: str) -> None:
        self.image = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), paper)
        self.pen = ImageDraw.Draw(self.image)

    def shape(self, points: Sequence[Point], fill: str) -> None:
        """A filled polygon."""
        self.pen.polygon([(x * FINE, y * FINE) for x, y in points], fill=fill)

    def box(self, left: float, top: float, width: float, height: float, fill: str, radius: float = 0) -> None:
        """A filled rectangle."""
        corners = (left * FINE, top * FINE, (left + width) * FINE, (top + height) * FINE)
        self.pen.rounded_rectangle(corners, radius * FINE, fill=fill)

    def disc(self, x: float, y: float, radius: float, fill: str) -> None:
        """A filled circle."""
        self.pen.ellipse([(v * FINE) for v in (x - radius, y - radius, x + radius, y + radius)], fill=fill)

    def line(self, points: Sequence[Point], fill: str, width: float) -> None:
        """A line with round joints and ends."""
        self.pen.line([(x * FINE, y * FINE) for x, y in points], fill=fill, width=round(width * FINE), joint="curve")
        for x, y in (points[0], points[-1]):
            self.disc(x, y, width / 2, fill)

    def words(self, text: str, x: float, y: float, size: float, fill: str) -> None:
        """Words centred on a point."""
        font = ImageFont.load_default(size * FINE)
        self.pen.text((x * FINE, y * FINE), text, font=font, fill=fill, anchor="mm")

    def cube(self, x: float, y: float, size: float, faces: tuple[str, str, str]) -> None:
        """A cube seen from above: the middle of its top edge is (x, y); faces are top, left, right."""
        wide, half = size * math.sqrt(3) / 2, size / 2
        self.shape([(x, y), (x + wide, y + half), (x, y + size), (x - wide, y + half)], faces[0])
        self.shape([(x - wide, y + half), (x, y + size), (x, y + 2 * size), (x - wide, y + 1.5 * size)], faces[1])
        self.shape([(x + wide, y + half), (x, y + size), (x, y + 2 * size), (x + wide, y + 1.5 * size)], faces[2])


def portrait(sheet: Sheet) -> None:
    """A neutral placeholder for the photograph of a person: a figure at a lectern, no likeness."""
    for number in range(6):
        sheet.box(
            0, number * 178, WIDTH, 178, f"#{0xB4 + number * 6:02x}{0xBC + number * 5:02x}{0xC3 + number * 5:02x}"
        )
    sheet.box(120, 0, 300, HEIGHT, "#a9b3bb")
    sheet.box(1180, 0, 300, HEIGHT, "#a9b3bb")
    sheet.shape([(380, HEIGHT), (450, 760), (640, 660), (960, 660), (1150, 760), (1220, HEIGHT)], "#46525e")
    sheet.shape([(700, 650), (900, 650), (870, 740), (800, 800), (730, 740)], "#dfe3e6")
    sheet.shape([(785, 760), (815, 760), (835, 960), (800, 1000), (765, 960)], "#6d2f2a")
    sheet.box(715, 520, 170, 170, "#76828d", 60)
    sheet.pen.ellipse([v * FINE for v in (655, 230, 945, 620)], fill="#8a959f")
    sheet.box(420, 905, 760, HEIGHT, "#333d47", 14)
    sheet.box(420, 905, 760, 26, "#56626d", 14)
    sheet.line([(690, 905), (665, 800)], "#1f262d", 9)
    sheet.line([(910, 905), (935, 800)], "#1f262d", 9)
    sheet.disc(662, 792, 20, "#1f262d")
    sheet.disc(938, 792, 20, "#1f262d")
    sheet.words("Drawing in place of a photograph", 800, 1000, 40, "#dfe3e6")


def chart(sheet: Sheet) -> None:
    """A price that climbs and then moves sideways."""
    for row in range(1, 7):
        sheet.line([(0, row * 150), (WIDTH, row * 150)], "#24434c", 2)
    heights = [790, 815, 740, 770, 690, 700, 610, 640, 520, 545, 430, 395, 420, 380, 402, 372, 398, 376, 390]
    step = WIDTH / (len(heights) - 1)
    points = [(number * step, float(height)) for number, height in enumerate(heights)]
    sheet.shape([*points, (WIDTH, HEIGHT), (0, HEIGHT)], "#1d4a52")
    for number, (x, y) in enumerate(points[1:-1]):
        tall = 55 + 40 * ((number * 7) % 3)
        sheet.box(x - 14, HEIGHT - 40 - tall, 28, tall, "#2f6f73", 4)
        sheet.disc(x, y, 7, CREAM)
    sheet.line(points, GOLD, 12)
    sheet.line([(0, 384), (WIDTH, 384)], "#7f9aa0", 3)
    sheet.disc(points[-2][0], points[-2][1], 24, RED)


def bank(sheet: Sheet) -> None:
    """A building with columns, and a coin that is made of dots."""
    sheet.disc(1250, 300, 190, GOLD)
    for ring in range(1, 6):
        for number in range(ring * 8):
            angle = 2 * math.pi * number / (ring * 8)
            sheet.disc(1250 + math.cos(angle) * ring * 32, 300 + math.sin(angle) * ring * 32, 8, DEEP)
    sheet.shape([(170, 470), (660, 210), (1150, 470)], INK)
    sheet.box(190, 480, 940, 60, SLATE)
    for number in range(6):
        sheet.box(235 + number * 150, 550, 84, 320, INK if number % 2 else SLATE, 6)
    sheet.box(170, 880, 980, 46, INK)
    sheet.box(120, 936, 1080, 46, SLATE)
    sheet.disc(660, 385, 42, RED)


def gold(sheet: Sheet) -> None:
    """Bars in a pile, and one that fades into a grid."""
    rows = ((5, 780), (4, 600), (3, 420), (2, 240))
    for count, top in rows:
        left = 800 - count * 130
        for number in range(count):
            x = left + number * 260
            sheet.shape([(x + 40, top), (x + 212, top), (x + 248, top + 160), (x + 4, top + 160)], GOLD)
            sheet.shape([(x + 40, top), (x + 212, top), (x + 200, top + 26), (x + 52, top + 26)], "#f0cd7a")
            sheet.box(x + 82, top + 74, 88, 40, "#b98522", 8)
    for row in range(5):
        for column in range(7):
            sheet.box(650 + column * 44, 20 + row * 44, 34, 34, RED if (row + column) % 3 == 0 else "#8c3a25", 4)


def layers(sheet: Sheet) -> None:
    """Sheets over one another, the top one lifted."""
    for number, colour in enumerate((INK, SLATE, TEAL, GOLD, RED)):
        y = 760 - number * 118 - (70 if number == 4 else 0)
        sheet.shape([(800, y - 210), (1330, y), (800, y + 210), (270, y)], colour)
        sheet.shape([(800, y + 210), (1330, y), (1330, y + 34), (800, y + 244)], "#12161f")
        sheet.shape([(800, y + 210), (270, y), (270, y + 34), (800, y + 244)], "#2c3340")
    for column in range(-2, 3):
        for row in range(-2, 3):
            x, y = 800 + (column - row) * 80, 218 + (column + row) * 32
            sheet.shape([(x, y - 13), (x + 33, y), (x, y + 13), (x - 33, y)], CREAM)


def chain(sheet: Sheet) -> None:
    """Blocks in a row, each tied to the one before; one is out of place."""
    sheet.line([(120, 560), (1480, 560)], SLATE, 14)
    for number in range(5):
        x, broken = 220 + number * 290, number == 3
        y = 370.0 + (90 if broken else 0)
        faces = ("#f08a68", RED, "#a63a1c") if broken else ("#8fb9ba", TEAL, "#1f4d51")
        sheet.cube(x, y, 150, faces)
        for row in range(3):
            sheet.line([(x - 98, y + 150 + row * 36), (x - 36, y + 186 + row * 36)], CREAM, 8)


def miners(sheet: Sheet) -> None:
    """Racks of machines with fans."""
    for column in range(7):
        for row in range(4):
            x, y = 40 + column * 220, 60 + row * 245
            sheet.box(x, y, 200, 225, "#2b3340", 10)
            sheet.disc(x + 100, y + 98, 76, INK)
            for blade in range(6):
                angle = blade * math.pi / 3 + (column + row) * 0.3
                tip = (x + 100 + math.cos(angle) * 64, y + 98 + math.sin(angle) * 64)
                sheet.line([(x + 100, y + 98), tip], SLATE, 20)
            sheet.disc(x + 100, y + 98, 20, MIST)
            lit = (column * 5 + row * 3) % 7
            sheet.disc(x + 24, y + 200, 8, GOLD if lit else RED)
            sheet.box(x + 46, y + 194, 130 - lit * 12, 12, TEAL, 6)


def papers(sheet: Sheet) -> None:
    """Sheets of a bill, with a mark in the margin."""
    for number, colour in enumerate((MIST, "#dfe3e6", "#ffffff")):
        left, top = 420 + number * 70, 90 + number * 60
        sheet.box(left + 14, top + 14, 640, 860, "#33525a", 6)
        sheet.box(left, top, 640, 860, colour, 6)
    for row in range(13):
        wide = (470, 500, 380, 490, 300)[row % 5]
        sheet.box(630, 300 + row * 50, wide, 16, MIST if row % 5 else SLATE, 8)
    sheet.box(590, 395, 14, 220, RED, 7)
    sheet.disc(1060, 940, 74, RED)
    sheet.disc(1060, 940, 48, "#f08a68")


def hours(sheet: Sheet) -> None:
    """A clock and a letter."""
    sheet.disc(560, 530, 380, INK)
    sheet.disc(560, 530, 344, "#ffffff")
    for number in range(12):
        angle = number * math.pi / 6
        inner = 280 if number % 3 else 250
        x, y = math.cos(angle), math.sin(angle)
        sheet.line([(560 + x * inner, 530 + y * inner), (560 + x * 312, 530 + y * 312)], INK, 16)
    sheet.line([(560, 530), (460, 703)], INK, 26)
    sheet.line([(560, 530), (560, 260)], RED, 16)
    sheet.disc(560, 530, 26, RED)
    sheet.box(850, 560, 620, 400, GOLD, 12)
    sheet.shape([(850, 572), (1470, 572), (1160, 800)], "#f0cd7a")
    sheet.line([(856, 572), (1160, 796), (1464, 572)], "#9c701b", 8)


DRAWINGS: dict[str, tuple[str, Callable[[Sheet], None]]] = {
    "portrait": ("#b4bcc3", portrait),
    "chart": (DEEP, chart),
    "bank": (CREAM, bank),
    "gold": (DEEP, gold),
    "layers": (CREAM, layers),
    "chain": (CREAM, chain),
    "miners": ("#161a22", miners),
    "papers": (TEAL, papers),
    "hours": ("#cfdcd9", hours),
}


def draw(*, name: str) -> bytes:
    """The drawing as PNG bytes, 1600 by 1067 pixels; raises `UnknownPictureError`."""
    if name not in DRAWINGS:
        raise UnknownPictureError(name)
    paper, paint = DRAWINGS[name]
    sheet = Sheet(paper)
    paint(sheet)
    return _png(sheet.image.reduce(FINE))


def logo() -> bytes:
    """The publication's mark, four blocks of which one is set apart, as PNG bytes."""
    image = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    for left, top, colour in ((16, 16, SLATE), (264, 16, SLATE), (16, 264, SLATE), (264, 264, RED)):
        pen.rounded_rectangle((left, top, left + 232, top + 232), 20, fill=colour)
    return _png(image)


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=1)  # read once, by what takes it in
    return written.getvalue()
