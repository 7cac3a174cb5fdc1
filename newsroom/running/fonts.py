"""`bin/fonts`: makes the typefaces of the readers' pages, static/fonts, out of publication/fonts/package.json.

Each face is one cut of a variable font, in five files by script, so that an English page loads the letters of
English alone.
The files bear names of ours, because a changed font may not use the reserved name of its source. Needs node
and npm. With --check: fails when the files that are checked in are not those that come out.
"""

import io
import json
import subprocess
import sys
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fontTools import subset
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = ROOT / "publication" / "fonts"
FONTS: Final = ROOT / "static" / "fonts"
# What a page asks a file for, by its name; publication/typefaces.py tells the browsers the same.
SCRIPTS: Final = {
    "latin": "20-7E A0 A7 A9 AB AD B7 BB 2010-2011 2013-2014 2018-201A 201C-201E 2022 2026 202F 20AC 2212",
    "latin-1": "A1-A6 A8 AA AC AE-B6 B8-BA BC-FF 131 152-153 2BB-2BC 2C6 2DA 2DC 2012 2015 2020-2021 2030 2032-2033 "
    "2039-203A 2044 2122",
    "latin-ext": "100-130 132-151 154-17F 192 218-21B 1E9E 20B4 20B8 20BA 20BD",
    "cyrillic": "301 400-45F 2116",
    "cyrillic-ext": "462-463 472-475 490-4FF",
}
# Our script -> that of the package in whose file it is.
PACKED_IN: Final = {"latin-1": "latin"}
FEATURES: Final = ["kern", "liga", "locl", "mark", "mkmk", "ccmp", "calt"]
# How often letters come in news, near enough to compare how wide two faces run.
SAMPLE: Final = (
    "The central bank said on Friday that the reserve would be held by three keepers, and that nobody had asked for "
    "the money; a spokesman would not say how much of it had been bought before the vote in the spring of this year. "
)
FALLBACKS: Final = {
    "times": {
        "regular": "@fontsource/tinos/files/tinos-latin-400-normal.woff2",
        "bold": "@fontsource/tinos/files/tinos-latin-700-normal.woff2",
    },
    "noto": {
        "regular": "@fontsource/noto-serif/files/noto-serif-latin-400-normal.woff2",
        "bold": "@fontsource/noto-serif/files/noto-serif-latin-700-normal.woff2",
    },
    "dejavu": {
        "regular": "dejavu-fonts-ttf/ttf/DejaVuSerif.ttf",
        "bold": "dejavu-fonts-ttf/ttf/DejaVuSerif-Bold.ttf",
    },
}


@dataclass(frozen=True)
class Face:
    """One cut: where its source is, which point of the design space it is, and what it falls back to."""

    name: str
    package: str
    axes: dict[str, float]
    like: str = "regular"
    italic: bool = False

    def source(self, script: str, *, modules: Path) -> Path:
        """The file of this script in the package."""
        script = PACKED_IN.get(script, script)
        kind = "wght" if self.package == "golos-text" else "standard"
        style = "italic" if self.italic else "normal"
        return (
            modules / "@fontsource-variable" / self.package / "files" / f"{self.package}-{script}-{kind}-{style}.woff2"
        )


SOURCE_SERIF: Final = {"opsz": 15.0, "wght": 400.0}
LITERATA: Final = {"opsz": 14.0, "wght": 400.0}
FACES: Final = (
    Face("broadsheet", "merriweather", {"opsz": 144, "wdth": 87, "wght": 690}, like="bold"),
    Face("review", "noto-serif-display", {"wdth": 88, "wght": 660}, like="bold"),
    Face("bulletin", "golos-text", {"wght": 720}, like="bold"),
    Face("sourceserif", "source-serif-4", SOURCE_SERIF),
    Face("sourceserif-italic", "source-serif-4", SOURCE_SERIF, italic=True),
    Face("sourceserif-bold", "source-serif-4", SOURCE_SERIF | {"wght": 680}, like="bold"),
    Face("literata", "literata", LITERATA),
    Face("literata-italic", "literata", LITERATA, italic=True),
    Face("literata-bold", "literata", LITERATA | {"wght": 680}, like="bold"),
)


def main(arguments: list[str]) -> int:
    """0 if the files are written, or with --check if they are the same; 1 and their names otherwise."""
    with tempfile.TemporaryDirectory() as place:
        modules = _install(Path(place))
        files = dict(_files(modules))
    if "--check" in arguments:
        differing = [name for name, content in files.items() if not _is_same(FONTS / name, content)]
        print("\n".join(f"{name} is not what bin/fonts makes" for name in differing) or "static/fonts is as made")  # noqa: T201  # a command says what it does
        return 1 if differing else 0
    FONTS.mkdir(exist_ok=True)
    for name, content in files.items():
        (FONTS / name).write_bytes(content)
    print(f"static/fonts: {len(files)} files, {sum(map(len, files.values())):,} bytes")  # noqa: T201  # as above
    return 0


def _install(place: Path) -> Path:
    for name in ("package.json", "package-lock.json"):
        (place / name).write_bytes((SOURCES / name).read_bytes())
    command = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(command, cwd=place, check=True)  # npm is where the person has it
    return place / "node_modules"


def _files(modules: Path) -> Iterator[tuple[str, bytes]]:
    measures: dict[str, Any] = {}
    for face in FACES:
        for script in SCRIPTS:
            font = _cut(face, TTFont(face.source(script, modules=modules)), script)
            if script == "latin":
                measures[face.name] = _measures(face, font, modules)
            output = io.BytesIO()
            font.flavor = "woff2"
            font.save(output, reorderTables=None)
            yield f"{face.name}-{script}.woff2", output.getvalue()
        yield f"LICENSE-{face.package}.txt", (face.source("latin", modules=modules).parents[1] / "LICENSE").read_bytes()
    yield "measures.json", (json.dumps(measures, indent=1, sort_keys=True) + "\n").encode()


def _cut(face: Face, font: TTFont, script: str) -> TTFont:
    options = subset.Options(
        layout_features=FEATURES, hinting=False, name_IDs=[0, 1, 2, 4, 6, 13, 14], notdef_outline=True
    )  # fmt: skip
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=unicodes(script))
    subsetter.subset(font)
    instancer.instantiateVariableFont(font, face.axes, inplace=True)
    if face.package == "merriweather":
        _kern_by_class(font)
    font.recalcTimestamp = False
    for record in font["name"].names:
        if record.nameID in {1, 4, 6}:
            record.string = f"Newsroom-{face.name}"
    return font


def _kern_by_class(font: TTFont) -> None:
    """Letters with accents are kerned as those without, to a hundredth of the size: a sixth of the bytes."""
    step = font["head"].unitsPerEm / 100
    letters: dict[str, list[str]] = defaultdict(list)
    for code, glyph in font.getBestCmap().items():
        letters[unicodedata.normalize("NFD", chr(code))[0]].append(glyph)
    plain = {font.getBestCmap()[ord(letter)] for letter in letters if ord(letter) in font.getBestCmap()}
    classes = {glyphs[0]: " ".join(glyphs) for glyphs in letters.values()}
    rules = [
        f"pos [{classes[first]}] [{classes[second]}] {round(round(value / step) * step)};"
        for (first, second), value in sorted(_pairs(font).items())
        if abs(value) >= step and {first, second} <= plain & classes.keys()
    ]
    scripts = "".join(f"languagesystem {script} dflt;" for script in ("DFLT", "latn", "cyrl"))
    addOpenTypeFeaturesFromString(font, f"{scripts} feature kern {{ {' '.join(rules)} }} kern;", tables=["GPOS"])


def _pairs(font: TTFont) -> dict[tuple[str, str], int]:
    pairs: dict[tuple[str, str], int] = {}
    for lookup in font["GPOS"].table.LookupList.Lookup:
        for subtable in (getattr(each, "ExtSubTable", each) for each in lookup.SubTable):
            if getattr(subtable, "PairSet", None) is None:
                continue
            for first, after in zip(subtable.Coverage.glyphs, subtable.PairSet, strict=True):
                for record in after.PairValueRecord:
                    pairs.setdefault((first, record.SecondGlyph), record.Value1.XAdvance or 0)
    return pairs


def unicodes(script: str) -> set[int]:
    """The code points of a script's files."""
    ranges = (part.partition("-") for part in SCRIPTS[script].split())
    return {code for first, _, last in ranges for code in range(int(first, 16), int(last or first, 16) + 1)}


def _measures(face: Face, font: TTFont, modules: Path) -> dict[str, Any]:
    """What a fallback has to be stretched by so that a line is as long and as high in it as in ours."""
    high, deep = font["hhea"].ascent, -font["hhea"].descent
    size = font["head"].unitsPerEm
    stretched = {}
    for name, files in FALLBACKS.items():
        ratio = _width(font) / _width(TTFont(modules / files[face.like]))
        stretched[name] = [round(number, 4) for number in (ratio, high / size / ratio, deep / size / ratio)]
    return stretched


def _width(font: TTFont) -> float:
    glyphs, metrics = font.getBestCmap(), font["hmtx"]
    advance = sum(metrics[glyphs[ord(letter)]][0] for letter in SAMPLE)
    return float(advance / font["head"].unitsPerEm / len(SAMPLE))


def _is_same(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
