"""The Content-Security-Policy of the readers' pages and of the admin."""

from typing import Final

from csp.constants import NONCE, NONE, SELF

READERS: Final = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "frame-src": [SELF],
    "form-action": [SELF],
    "manifest-src": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
# No inline script, no inline style, no eval. The colours of the publication are in one <style>, which has a nonce
# (docs/decisions/0107).
EDITORS: Final = READERS | {
    "style-src": [SELF, NONCE],
    "img-src": [SELF, "data:", "blob:"],
    "frame-ancestors": [SELF],
}
