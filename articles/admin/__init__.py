"""The admin of stories: one module per kind of page."""

from articles.admin import history, library, pictures, stories

__all__ = ["history", "library", "pictures", "stories"]
