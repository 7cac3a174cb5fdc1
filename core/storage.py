"""The storage of uploaded files."""

from typing import Any

from django.core.files.storage import FileSystemStorage


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
