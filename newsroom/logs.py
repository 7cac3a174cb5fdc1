"""Logging: one line per event on standard error, without addresses, tokens and query strings."""

import logging
import re

from mailkit import addresses

QUERY = re.compile(r"(?<=[^\s?])\?[^\s\"']+=[^\s\"']*")
# A token in a path gives access to a reader's subscription, or to an account of the team.
TOKEN_PATH = re.compile(r"/(confirm|preferences|unsubscribe|address|agree|keep|join)/[^\s/\"']+")


def mask(text: str) -> str:
    """The text without addresses, query strings and tokens."""
    text = QUERY.sub("?…", text)
    text = TOKEN_PATH.sub(r"/\1/…", text)
    return addresses.hide(text)


class MaskingFormatter(logging.Formatter):
    """Masks the finished line, so arguments and tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        """One masked line (or a traceback of masked lines)."""
        return mask(super().format(record))


def config(*, debug: bool) -> dict[str, object]:
    """Django's LOGGING; everything goes to standard error through the masking formatter."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "newsroom.logs.MaskingFormatter",
                "format": "{asctime} {levelname} {name} {message}",
                "style": "{",
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["stderr"], "level": "INFO" if debug else "WARNING"},
        "loggers": {
            # Django's own handler would mail tracebacks to ADMINS and print unmasked lines.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": [], "level": "INFO", "propagate": True},
            # Scanners with wrong Host headers get a 400 and no traceback here. A logger without
            # any handler would print the line unmasked (logging.lastResort).
            "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
            "celery": {"level": "INFO"},
            # One line for each connection that ends; below that, everything that is said.
            "imapclient": {"level": "WARNING"},
            **{
                name: {"level": "INFO"}
                for name in (
                    "articles",
                    "digests",
                    "mailkit",
                    "newsroom",
                    "postal",
                    "publication",
                    "staff",
                    "subscribers",
                )
            },
        },
    }
