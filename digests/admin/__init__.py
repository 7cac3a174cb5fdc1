"""The admin of digests: issues, their stories, copies and events."""

from articles import forecast as story_forecast
from digests import forecast
from digests.admin import deliveries, issues, items, pictures

__all__ = ["deliveries", "issues", "items", "pictures"]

story_forecast.sources.append(forecast.of)
