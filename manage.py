#!/usr/bin/env python
"""Runs Django's management commands with this project's settings."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Hands the command line to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
