"""The promise on the real stack: ten minutes of the Saturday with cluster, sandbox and PostgreSQL, judged."""

from __future__ import annotations

from django.core.management import CommandError, call_command

SECONDS = 600


def promise_bench() -> None:
    """Ends the program with exit code 1 when the promise was broken."""
    try:
        call_command("demo", world="saturday", seconds=SECONDS, check=True)
    except CommandError as problem:
        raise SystemExit(str(problem)) from None
