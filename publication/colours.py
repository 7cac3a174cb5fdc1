"""Makes a stylesheet from the two colours of an editor, readable on light and on dark backgrounds."""

from publication.models import Publication

# The surfaces of static/css/site.css on which contrast is least: its tints, light and dark.
LIGHT_TINT = "#f6f4f1"
DARK_TINT = "#1e1b18"
WHITE = "#ffffff"
BLACK = "#000000"
# WCAG 2.2, 1.4.3: the least contrast of text of normal size.
READABLE = 4.5
# Long texts are easier on the eye with more than the least.
COMFORTABLE = 11.0

SHEET = """:root {{
  --accent: {accent};
  --on-accent: {on_accent};
  --ink: {ink};
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --accent: {dark_accent};
    --on-accent: {on_dark_accent};
    --ink: {dark_ink};
  }}
}}
"""


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it, 0 (black) to 1 (white)."""
    parts = [part / 255 for part in _channels(colour)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours such as #1a4d8f: 1 (the same) to 21 (black on white)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def readable(colour: str, *, on: str, least: float = READABLE) -> str:
    """The colour nearest to `colour`, mixed with black or white, that has at least this contrast to `on`."""
    target = WHITE if _luminance(on) < 0.18 else BLACK
    for step in range(0, 101, 4):
        mixed = mix(colour, target, step / 100)
        if contrast(mixed, on) >= least:
            return mixed
    return target


def mix(colour: str, target: str, share: float) -> str:
    """`colour` with a share, 0 to 1, of `target` in it."""
    pairs = zip(_channels(colour), _channels(target), strict=True)
    return "#" + "".join(f"{round(here + (there - here) * share):02x}" for here, there in pairs)


def stylesheet(publication: Publication) -> str:
    """The custom properties of the publication; accents have a contrast of at least 4.5, ink of 11."""
    accent = readable(publication.accent_colour, on=LIGHT_TINT)
    dark_accent = readable(publication.accent_colour, on=DARK_TINT)
    return SHEET.format(
        accent=accent,
        on_accent=readable(WHITE, on=accent),
        ink=readable(publication.ink_colour, on=LIGHT_TINT, least=COMFORTABLE),
        dark_accent=dark_accent,
        on_dark_accent=readable(DARK_TINT, on=dark_accent),
        dark_ink=readable(publication.ink_colour, on=DARK_TINT, least=COMFORTABLE),
    )
