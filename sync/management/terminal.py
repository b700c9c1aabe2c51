"""How commands that talk with the provider speak: a spinner at a terminal, plain lines everywhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper
from rich.console import Console


def console_on(stdout: OutputWrapper) -> Console:
    quiet_logs()
    # Django's wrapper ends every write with a newline; rich writes its own.
    stdout.ending = ""
    # Names of races and partners are data: no markup, no colours in them, no line breaks by width.
    return Console(file=stdout, markup=False, highlight=False, soft_wrap=True)  # type: ignore[arg-type]


def quiet_logs() -> None:
    """This process speaks in sentences to a person; of the log's events only trouble belongs between them."""
    for handler in logging.getLogger().handlers:
        if handler.get_name() == "console":
            handler.setLevel(logging.WARNING)


@contextmanager
def working(console: Console, doing: str) -> Iterator[None]:
    """Say what is being done while the body does it."""
    if console.is_terminal:
        with console.status(doing):
            yield
    else:
        console.print(doing)
        yield
