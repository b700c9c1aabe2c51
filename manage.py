#!/usr/bin/env python
"""Django's command line for Project88."""

import os
import sys

from project88 import launch_environment
from project88.plain_errors import plain_errors


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project88.settings")
    launch_environment.prepare(sys.argv[1:2], os.environ)
    with plain_errors():
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
