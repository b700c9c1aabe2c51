"""What a person at a terminal sees when a command cannot work here: a sentence instead of a traceback."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError

INTERRUPTED = 130


@contextmanager
def plain_errors() -> Iterator[None]:
    """Around a command: bad settings, a database that is not there or has no tables, and Ctrl-C end with a sentence.

    Everything else is a bug, and its traceback is what helps.
    """
    try:
        yield
    except ImproperlyConfigured as error:
        _end(f"Project88 cannot start: {error}")
    except OperationalError as error:
        _end(f"The database does not answer: {_first_line(error)} Is it running, and is DATABASE_URL right?")
    except ProgrammingError as error:
        if 'relation "' not in str(error):
            raise
        _end("The database has no tables yet, or not the newest: run manage.py migrate.")
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".") + "."


def _end(text: str) -> None:
    logging.shutdown()
    print(text, file=sys.stderr)
    sys.exit(1)
