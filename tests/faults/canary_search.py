"""Where a secret could have got to: everything the database holds, every log line, every page, every process."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.contrib import admin
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, get_resolver, reverse
from django_q.models import OrmQ, Task

from project88.logging import JsonFormatter, LineFormatter

ROWS_LOOKED_AT = 2


def columns_with(mark: str) -> set[str]:
    """ "table.column" of every column, of whatever type, that holds the mark in any row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "JOIN information_schema.tables USING (table_schema, table_name) "
            "WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name"
        )
        columns: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in cursor.fetchall():
            columns.setdefault(table, []).append((column, kind))
        found = set()
        for table, named in columns.items():
            looks = [
                f'bool_or(position(%s::bytea in "{name}") > 0)'
                if kind == "bytea"
                else f'bool_or(position(%s in "{name}"::text) > 0)'
                for name, kind in named
            ]
            cursor.execute(
                f'SELECT {", ".join(looks)} FROM "{table}"',
                [mark.encode() if kind == "bytea" else mark for _name, kind in named],
            )
            row = cursor.fetchone()
            found |= {f"{table}.{name}" for (name, _kind), has in zip(named, row, strict=True) if has}
        return found


def unpacked_rows() -> Iterator[tuple[str, str]]:
    """What the database holds packed: the queue's tasks and results are pickled, sessions are signed and compressed."""
    for waiting in OrmQ.objects.all():
        yield "a queued task", repr(waiting.task)
    for task in Task.objects.all():
        yield "a finished task", repr((task.func, task.args, task.kwargs, task.result))
    for session in Session.objects.all():
        yield "a session", repr(session.get_decoded())


class LogLines(logging.Handler):
    """Every record of every logger at its most talkative, in each of the formats that it may be written in. `sql`: what
    Django says of its queries while DEBUG, which name a key as its column does."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.lines: list[str] = []
        self.sql: list[str] = []
        self._formats = [JsonFormatter(), LineFormatter(), logging.Formatter("%(name)s %(message)s")]

    def emit(self, record: logging.LogRecord) -> None:
        lines = self.sql if record.name == "django.db.backends" else self.lines
        lines += [form.format(record) for form in self._formats]


@contextmanager
def all_logs() -> Iterator[LogLines]:
    handler, root = LogLines(), logging.getLogger()
    known = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    levels = {logger: logger.level for logger in [root, *known]}
    deaf = [logger for logger in known if not logger.propagate]
    for logger in [root, *deaf]:
        logger.addHandler(handler)
    for logger in known:
        logger.setLevel(logging.NOTSET)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        for logger in [root, *deaf]:
            logger.removeHandler(handler)


def texts_of(error: BaseException) -> Iterator[str]:
    """An exception as anybody could print it: with what lies behind it, hidden or not, and with our local variables."""
    behind: list[BaseException | None] = [error]
    seen = set()
    while behind:
        one = behind.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        behind += [one.__cause__, one.__context__]
        yield "".join(traceback.format_exception(one))
        yield repr(one) + repr(getattr(one, "__dict__", ""))
        for frame, _line in traceback.walk_tb(one.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                yield from (_written(value) for value in frame.f_locals.values())


def _written(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        # An unsaved key has no partner to name.
        return ""


def page_addresses(known: dict[str, object]) -> list[str]:
    """Every address of the site's own table that the known ids and names can fill in."""
    found = []
    for pattern in get_resolver().url_patterns:
        name = getattr(pattern, "name", None)
        if name is None or name == "logout":
            continue
        wanted = {word: known[word] for word in pattern.pattern.converters if word in known}
        try:
            found.append(reverse(name, kwargs=wanted))
        except NoReverseMatch:
            continue
    return found


def admin_addresses() -> Iterator[tuple[str, str]]:
    """(model label, address) of the lists of the admin, and of the pages and histories of some rows of each."""
    yield "", reverse("admin:index")
    for model in admin.site._registry:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        label = model._meta.label
        yield label, reverse(f"{base}_changelist")
        for pk in model._base_manager.order_by("-pk").values_list("pk", flat=True)[:ROWS_LOOKED_AT]:
            yield label, reverse(f"{base}_change", args=[pk])
            yield label, reverse(f"{base}_history", args=[pk])


def page_text(client: Client, address: str) -> str:
    answer = client.get(address)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return f"{answer.headers}\n{answer.cookies}\n{body.decode(errors='replace')}"


def command_lines() -> Iterable[str]:
    """What `ps` shows of every process of this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
