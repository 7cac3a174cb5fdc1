"""Whole journeys: real worker processes, a real broker, a real SMTP server, the database of the tests."""
