"""The product's settings, and two languages that nobody speaks (`tests.browser.pseudo`)."""

from newsroom.settings import *  # noqa: F403  # it is these
from newsroom.settings import LANGUAGES as SPOKEN
from newsroom.settings import LOCALE_PATHS as CATALOGUES
from newsroom.settings import VAR_DIR

LOCALE_PATHS = [VAR_DIR / "pseudo", *CATALOGUES]
LANGUAGES = [*SPOKEN, ("en-xa", "Pseudo"), ("ar-xb", "Pseudo, from right to left")]

# As in production: else the browser asks again for up to forty files with each page of the desk.
WHITENOISE_MAX_AGE = 3_600
