"""The storage of uploaded files."""

import functools
from typing import Any
from urllib.parse import urljoin

from django.core.files.storage import FileSystemStorage
from django.utils.encoding import filepath_to_uri


class WholeFileStorage(FileSystemStorage):
    """A folder in which a file is whole or not there: a full disk leaves no half of one behind."""

    def _save(self, name: str, content: Any) -> str:
        """Django's own, and on failure nothing is left of the name, which nobody had before."""
        try:
            stored: str = super()._save(name, content)  # type: ignore[misc]  # django-stubs leave private methods out
        except OSError:
            self.delete(name)
            raise
        return stored

    def url(self, name: str | None) -> str:
        """Django's own; a page with a picture names a dozen files."""
        return super().url(name) if name is None or self.base_url is None else _url(self.base_url, name)


@functools.lru_cache(maxsize=8_192)
def _url(base: str, name: str) -> str:
    return urljoin(base, filepath_to_uri(name).lstrip("/"))
