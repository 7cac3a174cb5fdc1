"""What may be lost is read and written without an error, whether Redis is there or not."""

from pytest_django import Settings

from core import soft_cache


def test_a_value_is_read_as_it_was_written() -> None:
    assert soft_cache.read("soft") is None
    assert soft_cache.write("soft", (1, ["two"]), seconds=60)
    assert soft_cache.read("soft") == (1, ["two"])


def test_while_redis_is_away_nothing_is_known_and_nothing_raised(settings: Settings) -> None:
    settings.CACHES = settings.CACHES | {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    assert not soft_cache.write("soft", 1, seconds=60)
    assert soft_cache.read("soft") is None
