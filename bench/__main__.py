"""`python -m bench`: backfill over HTTP, and the write path against the naive way and the fetch alone."""

from __future__ import annotations

import os
import platform
import sys

from project88 import launch_environment


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "project88.settings"
    os.environ.setdefault("EMBEDDED_DATABASE", "bench")
    # The same precautions as the demo's: never the real provider, never the real database.
    launch_environment.prepare(["demo"], os.environ)
    import django

    django.setup()
    from bench.backfill import backfill_bench

    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    try:
        backfill_bench()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
