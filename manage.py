#!/usr/bin/env python
"""Runs Django's management commands with this project's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from newsroom import embedded, env, quick_start

# They ask no server, so none is started for them.
ALONE = {"verify_evidence", "evidence_keys"}


def main() -> None:
    """Starts the servers that are not configured, and hands the command line to Django.

    A mistake in the configuration is one sentence, not a traceback.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    quick_start.begin()
    try:
        if ALONE.isdisjoint(sys.argv[1:2]):
            embedded.start_missing(env.var_dir())
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
