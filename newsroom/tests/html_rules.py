"""What is not valid HTML on a page: what the parser forgives, ids used twice or not there, attributes nobody knows.

html5lib is strict about the syntax and the order of elements (the standard's section 13). It takes any attribute, so
those of the standard, without the obsolete ones (section 16), are listed here.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import html5lib  # type: ignore[import-untyped]  # it has no annotations
from html5lib.constants import E as MESSAGES  # type: ignore[import-untyped]  # as above

GLOBAL: Final = frozenset(
    "accesskey autocapitalize autofocus class dir draggable enterkeyhint hidden id inert inputmode itemid itemprop "
    "itemref itemscope itemtype lang nonce popover role spellcheck style tabindex title translate".split()
)
FORM_CONTROL: Final = "autocomplete disabled form name required value "
# The elements of our pages, with the attributes that each has beside the global ones.
ELEMENTS: Final = {
    name: frozenset(attributes.split())
    for names, attributes in {
        "a": "download href hreflang ping referrerpolicy rel target type",
        "base": "href target",
        "blockquote del ins q": "cite datetime",
        "button": "disabled form formaction formmethod name type value",
        "data": "value",
        "details": "name open",
        "fieldset": "disabled form name",
        "form": "accept-charset action autocomplete enctype method name novalidate rel target",
        "iframe": "allow allowfullscreen height loading name referrerpolicy sandbox src srcdoc width",
        "img": "alt crossorigin decoding fetchpriority height ismap loading referrerpolicy sizes src srcset usemap "
        "width",
        "input": FORM_CONTROL + "accept alt checked dirname list max maxlength min minlength multiple pattern "
        "placeholder readonly size src step type",
        "label": "for",
        "li": "value",
        "link": "as blocking color crossorigin disabled fetchpriority href hreflang imagesizes imagesrcset integrity "
        "media referrerpolicy rel sizes type",
        "meta": "charset content http-equiv media name property",
        "ol": "reversed start type",
        "optgroup": "disabled label",
        "option": "disabled label selected value",
        "output": "for form name",
        "script": "async blocking crossorigin defer fetchpriority integrity nomodule referrerpolicy src type",
        "select": FORM_CONTROL + "multiple size",
        "source": "height media sizes src srcset type width",
        "style": "blocking media",
        "td": "colspan headers rowspan",
        "textarea": FORM_CONTROL + "cols dirname maxlength minlength placeholder readonly rows wrap",
        "th": "abbr colspan headers rowspan scope",
        "time": "datetime",
        "abbr address article aside b body br caption cite code datalist dd div dl dt em figcaption figure footer h1 "
        "h2 h3 h4 h5 h6 head header hr html i kbd legend main mark nav noscript p picture pre s samp search section "
        "small span strong sub summary sup table tbody template tfoot thead title tr u ul var wbr": "",
    }.items()
    for name in names.split()
}
WHOLE_NUMBERS: Final = frozenset({"colspan", "height", "maxlength", "rowspan", "width"})
NAMES_IDS: Final = frozenset(
    {"aria-controls", "aria-describedby", "aria-details", "aria-errormessage", "aria-labelledby", "for", "form",
     "headers", "list"}
)  # fmt: skip
# Nothing that is pressed lies within something that is pressed.
PRESSED: Final = frozenset({"a", "button", "input", "select", "textarea", "iframe"})
HOLDERS: Final = frozenset({"a", "button"})
CHILDREN: Final = {
    "ul": {"li"}, "ol": {"li"}, "dl": {"dt", "dd", "div"}, "picture": {"source", "img"},
    "select": {"option", "optgroup", "hr"}, "tr": {"td", "th"},
}  # fmt: skip
# Elements that hold words alone, and what therefore is not in them. A summary may have a heading.
PHRASES: Final = frozenset(
    {"h1", "h2", "h3", "h4", "h5", "h6", "p", "span", "strong", "em", "b", "i", "button", "label"}
)
BLOCKS: Final = frozenset(
    "address article aside blockquote div dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr main nav ol p pre "
    "section table ul".split()
)
BLANK: Final = re.compile(r"\s")


def broken(html: str) -> list[str]:
    """A line for each fault of a whole page; empty for a valid one."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    document = parser.parse(html)
    return [*_syntax(parser), *_of_elements(document), *_of_ids(document), *_of_the_page(document)]


def broken_part(html: str) -> list[str]:
    """A line for each fault of HTML that is inside of a page."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    part = parser.parseFragment(html)
    return [*_syntax(parser), *_of_elements(part), *_of_ids(part)]


def _syntax(parser: Any) -> Iterator[str]:
    for (line, column), code, values in parser.errors:
        yield f"line {line}, column {column}: {MESSAGES.get(code, code) % values}"


def _of_elements(root: Any) -> Iterator[str]:
    for parent in root.iter():
        if not isinstance(parent.tag, str):
            continue  # a comment
        yield from _of_attributes(parent)
        children = [child for child in parent if isinstance(child.tag, str)]
        for child in children:
            if child.tag not in CHILDREN.get(parent.tag, {child.tag}):
                yield f"<{child.tag}> in <{parent.tag}>"
            if parent.tag in PHRASES and child.tag in BLOCKS:
                yield f"<{child.tag}> in <{parent.tag}>"
        if parent.tag in HOLDERS:
            yield from (f"<{each.tag}> within <{parent.tag}>" for each in parent.iter() if _is_pressed_in(each, parent))


def _is_pressed_in(element: Element, holder: Element) -> bool:
    return element is not holder and element.tag in PRESSED


def _of_attributes(element: Element) -> Iterator[str]:
    known = ELEMENTS.get(element.tag)
    if known is None:
        if element.tag != "DOCUMENT_FRAGMENT":
            yield f"<{element.tag}> is no element of ours"
        return
    for name, value in element.attrib.items():
        if name not in known and name not in GLOBAL and not name.startswith(("aria-", "data-")):
            yield f"<{element.tag} {name}> is no attribute"
        elif name in WHOLE_NUMBERS and not value.isdecimal():
            yield f'<{element.tag} {name}="{value}"> is no whole number'
        elif name == "id" and (not value or BLANK.search(value)):
            yield f'id="{value}"'
    if "mso-" in (element.attrib.get("style", "") + (element.text or "" if element.tag == "style" else "")):
        yield f"<{element.tag}> has a style that no browser knows"
    if element.tag == "img" and not {"alt", "src"} <= element.attrib.keys():
        yield f"<img> without alt or src: {element.attrib}"


def _of_ids(root: Element) -> Iterator[str]:
    ids = Counter(element.attrib["id"] for element in root.iter() if "id" in element.attrib)
    yield from (f'id="{name}" {times} times' for name, times in ids.items() if times > 1)
    for element in root.iter():
        named = [name for key in NAMES_IDS & element.attrib.keys() for name in element.attrib[key].split()]
        href = element.attrib.get("href", "")
        if href.startswith("#") and href not in {"#", "#top"}:
            named.append(unquote(href[1:]))
        yield from (f'<{element.tag}> names the id "{name}", which is not there' for name in named if name not in ids)


def _of_the_page(document: Element) -> Iterator[str]:
    for name, times in {"title": 1, "main": 1, "h1": 1, "meta[@charset]": 1}.items():
        if (count := len(document.findall(f".//{name}"))) != times:
            yield f"{count} of <{name}>"
    if not document.get("lang"):
        yield "<html> without lang"
    if not "".join(title.text or "" for title in document.iter("title")).strip():
        yield "<title> is empty"
    if document.get("dir") not in {None, "ltr", "rtl"}:
        yield f"dir={document.get('dir')}"
