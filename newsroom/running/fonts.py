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
from fontTools.otlLib.builder import buildPairPosClassesSubtable, buildValue
from fontTools.ttLib import TTFont
from fontTools.ttLib.scaleUpem import scale_upem
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
# Cyrillic has the accent that Russian dictionaries and verses set. Its letters are those of Russian and Kyrgyz: the
# other shapes of Serbian and Bulgarian would cost every reader 2 KB for each cut.
FEATURES: Final = {
    "latin": ["kern", "liga", "locl"],
    "cyrillic": ["kern", "liga", "ccmp", "mark"],
}
# What only variable fonts, lines from top to bottom, and scripts with another base line need.
NEEDLESS: Final = ("STAT", "vhea", "vmtx", "BASE")
# Units of an em: half of the source's, 0.04 pixels of text. The points of outlines come in fewer bytes.
UNITS: Final = {1000: 500, 2000: 1000}
# Kerning in parts of an em: what is less than one part is not seen.
KERNED: Final = 50
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
        layout_features=FEATURES[script.partition("-")[0]],
        hinting=False,
        name_IDs=[0, 1, 2, 4, 6, 13, 14],
        notdef_outline=True,
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=unicodes(script))
    subsetter.subset(font)
    instancer.instantiateVariableFont(font, face.axes, inplace=True)
    scale_upem(font, UNITS[font["head"].unitsPerEm])
    for name in NEEDLESS:
        if name in font:
            del font[name]
    _kern_by_class(font)
    font.recalcTimestamp = False
    for record in font["name"].names:
        if record.nameID in {1, 4, 6}:
            record.string = f"Newsroom-{face.name}"
    return font


def _kern_by_class(font: TTFont) -> None:
    """Letters with accents are kerned as those without, and those that are kerned alike together: a fifth of a file."""
    lookups = _kerning(font)
    if not lookups:
        return
    plain = _without_accents(font)
    step = font["head"].unitsPerEm / KERNED
    values = {
        pair: round(round(value / step) * step)
        for pair, value in _pairs(font, lookups).items()
        if abs(value) >= step and all(plain.get(glyph) == glyph for glyph in pair)
    }
    first, second = (_alike(font, values, plain, place=place) for place in (0, 1))
    by_class = {(first[a], second[b]): (buildValue({"XAdvance": value}), None) for (a, b), value in values.items()}
    lookup = font["GPOS"].table.LookupList.Lookup[lookups[0]]
    lookup.LookupType = 2
    lookup.SubTable = [buildPairPosClassesSubtable(by_class, font.getReverseGlyphMap())]
    for record in font["GPOS"].table.FeatureList.FeatureRecord:
        if record.FeatureTag == "kern":
            record.Feature.LookupListIndex = [lookups[0]]
    font["GPOS"].prune_lookups()


def _kerning(font: TTFont) -> list[int]:
    """The numbers of the lookups that kern."""
    if "GPOS" not in font:
        return []
    records = font["GPOS"].table.FeatureList.FeatureRecord
    return sorted(
        {each for record in records if record.FeatureTag == "kern" for each in record.Feature.LookupListIndex}
    )


def _without_accents(font: TTFont) -> dict[str, str]:
    """Glyph -> that of its letter without accents, or without one in this file, of the first that is like it."""
    glyphs: dict[int, str] = font.getBestCmap()
    letters: dict[str, str] = {}
    for code, glyph in sorted(glyphs.items()):
        letter = unicodedata.normalize("NFD", chr(code))[0]
        letters.setdefault(letter, glyphs.get(ord(letter), glyph))
    return {glyph: letters[unicodedata.normalize("NFD", chr(code))[0]] for code, glyph in glyphs.items()}


def _alike(
    font: TTFont, values: dict[tuple[str, str], int], plain: dict[str, str], *, place: int
) -> dict[str, tuple[str, ...]]:
    """Plain glyph -> all glyphs that are kerned as it is, as the first or the second of a pair."""
    rows: dict[str, dict[str, int]] = defaultdict(dict)
    for pair, value in values.items():
        rows[pair[place]][pair[1 - place]] = value
    classes: dict[frozenset[tuple[str, int]], list[str]] = defaultdict(list)
    for glyph, letter in plain.items():
        if letter in rows:
            classes[frozenset(rows[letter].items())].append(glyph)
    return {each: tuple(sorted(glyphs, key=font.getGlyphID)) for glyphs in classes.values() for each in glyphs}


def _pairs(font: TTFont, lookups: list[int]) -> dict[tuple[str, str], int]:
    """What these lookups move pairs of letters by; kerning by what is around a pair is left out."""
    total: dict[tuple[str, str], int] = defaultdict(int)
    for number in lookups:
        pairs: dict[tuple[str, str], int] = {}
        for packed in font["GPOS"].table.LookupList.Lookup[number].SubTable:
            subtable = getattr(packed, "ExtSubTable", packed)
            if subtable.LookupType == 2:
                read = _listed if subtable.Format == 1 else _classed
                pairs = {**read(font, subtable), **pairs}
        for pair, value in pairs.items():
            total[pair] += value
    return total


def _listed(_font: TTFont, subtable: Any) -> dict[tuple[str, str], int]:
    return {
        (first, record.SecondGlyph): getattr(record.Value1, "XAdvance", 0)
        for first, after in zip(subtable.Coverage.glyphs, subtable.PairSet, strict=True)
        for record in after.PairValueRecord
    }


def _classed(font: TTFont, subtable: Any) -> dict[tuple[str, str], int]:
    firsts, seconds = subtable.ClassDef1.classDefs, subtable.ClassDef2.classDefs
    return {
        (first, second): getattr(
            subtable.Class1Record[firsts.get(first, 0)].Class2Record[seconds.get(second, 0)].Value1, "XAdvance", 0
        )
        for first in subtable.Coverage.glyphs
        for second in font.getGlyphOrder()
    }


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
