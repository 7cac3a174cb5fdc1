"""The admin of digests: issues, their stories, copies and events."""

from digests.admin import deliveries, issues, items

__all__ = ["deliveries", "issues", "items"]
