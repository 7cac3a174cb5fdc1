"""The admin of digests: issues, their stories, copies and events."""

from digests.admin import deliveries, issues, items, pictures

__all__ = ["deliveries", "issues", "items", "pictures"]
