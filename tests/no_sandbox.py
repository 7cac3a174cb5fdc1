"""Texts and pictures are converted in the process of the test, by the functions that the product runs in a sandbox."""

import functools
import warnings
from typing import Any, Final

from core import drawing_child, picture_child
from mailkit import markup_child, sandbox
from postal.notifications import reply_child

RESPOND: Final = {
    "mailkit.markup_child": markup_child.respond,
    "core.picture_child": picture_child.respond,
    "core.drawing_child": drawing_child.respond,
    "postal.notifications.reply_child": reply_child.respond,
}


def run(
    *, module: str, request: dict[str, Any], payload: bytes, seconds: float, megabytes: int
) -> tuple[dict[str, Any], bytes]:
    """As `mailkit.sandbox.run`, without the tenth of a second that a process takes, and without its limits."""
    return sandbox.unpack(_response(module, sandbox.pack(request, payload)))


@functools.lru_cache(maxsize=512)
def _response(module: str, packed: bytes) -> bytes:
    """The same few texts are converted by most tests, and a conversion depends on nothing else."""
    request, payload = sandbox.unpack(packed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            head, body = RESPOND[module](request, payload)
        except (RecursionError, MemoryError) as error:
            raise sandbox.Failed from error
    return sandbox.pack(head, body)
