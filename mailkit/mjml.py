"""Renders MJML to HTML that works in Outlook and Gmail."""

import re

import mrml

# The compiler recurses, and a few tens of thousands of levels end the whole process.
MAX_NESTING = 200
TAG = re.compile(r"<(/?)[A-Za-z][^<>]*?(/?)>")
VOID = re.compile(r"<(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b", re.IGNORECASE)


class MjmlError(ValueError):
    """The MJML cannot be compiled; the message says where it is broken."""


def compile(mjml: str) -> str:  # noqa: A001  # `mjml.compile(...)` reads aloud at the call
    """Compile one MJML document to a whole HTML document.

    Includes are not loaded and no web font is added: compiling reads neither
    files nor the network, and a mail fetches nothing from third parties.
    On failure: MjmlError.
    """
    if _nesting(mjml) > MAX_NESTING:
        raise MjmlError("The mail's content is nested too deeply.")
    try:
        output = mrml.to_html(
            mjml,
            parser_options=mrml.ParserOptions(include_loader=mrml.noop_loader()),
            render_options=mrml.RenderOptions(disable_comments=False, fonts={}),
        )
    except OSError as error:
        raise MjmlError(f"The mail's MJML is broken: {error}.") from error
    if "<mj-" in output.content:
        raise MjmlError("The mail's MJML uses an element that does not exist.")
    return str(output.content)


def _nesting(mjml: str) -> int:
    """How many elements are open at once, at most."""
    depth = deepest = 0
    for tag in TAG.finditer(mjml):
        if tag[1]:
            depth -= 1
        elif not tag[2] and not VOID.match(tag[0]):
            depth += 1
            deepest = max(deepest, depth)
    return deepest
