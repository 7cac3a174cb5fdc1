"""The WSGI application that granian serves: the page cache, and Django behind it."""

import os
import sys
from typing import Final

from django.core.wsgi import get_wsgi_application

from newsroom import quick_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

# How long one thread may compute before another of its process may. Who holds a lock of the database waits for its turn
# after each answer, and everybody waits for the lock: at Python's 5 ms, sign-ups queue up (docs/decisions/0184).
SWITCH_SECONDS: Final = 0.0005

sys.setswitchinterval(SWITCH_SECONDS)
quick_start.begin()
# Modules with models can be imported when Django is set up.
django = get_wsgi_application()

from django.conf import settings  # noqa: E402  # above

from newsroom.page_cache.serving import PageCache  # noqa: E402  # above

application = PageCache(django, most_bytes=settings.PAGES.cache_bytes)
