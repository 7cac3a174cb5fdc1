"""Whole journeys, browser journeys and servers that fail on purpose."""
