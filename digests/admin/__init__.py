"""The editors' side of digests: issues, their copies, and what became of them."""

from digests.admin import copies, issues, places

__all__ = ["copies", "issues", "places"]
