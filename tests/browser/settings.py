"""The product's settings, and two languages that nobody speaks (`tests.browser.pseudo`)."""

from newsroom.settings import *  # noqa: F403  # it is these
from newsroom.settings import LANGUAGES as SPOKEN
from newsroom.settings import LOCALE_PATHS as CATALOGUES
from newsroom.settings import VAR_DIR

LOCALE_PATHS = [VAR_DIR / "pseudo", *CATALOGUES]
LANGUAGES = [*SPOKEN, ("en-xa", "Pseudo"), ("ar-xb", "Pseudo, from right to left")]
