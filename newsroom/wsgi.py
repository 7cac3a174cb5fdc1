"""The WSGI application that granian serves: the page cache, and Django behind it."""

import os

from django.core.wsgi import get_wsgi_application

from newsroom import quick_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

quick_start.begin()
# Modules with models can be imported when Django is set up.
django = get_wsgi_application()

from django.conf import settings  # noqa: E402  # above

from newsroom.page_cache.serving import PageCache  # noqa: E402  # above

application = PageCache(django, most_bytes=settings.PAGES.cache_bytes)
