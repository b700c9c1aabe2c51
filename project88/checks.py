"""System checks of the installation: what would fail later and far away is said at the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from project88.environment import LOOPBACK_HOSTS

OLDEST_POSTGRESQL = 15


@register()
def queue_does_not_deliver_running_tasks_again(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E001 for each queue whose `retry` ends before the task that it would deliver again can have ended."""
    all_settings: dict[str, Any] = settings.Q_CLUSTER
    shared: dict[str, Any] = {name: value for name, value in all_settings.items() if name != "ALT_CLUSTERS"}
    queues: dict[str, dict[str, Any]] = {shared.get("name", "default"): shared}
    queues |= {name: shared | own for name, own in all_settings.get("ALT_CLUSTERS", {}).items()}
    return [
        Error(
            f"Q_CLUSTER: retry of the queue {name!r} is {queue['retry']} s, its tasks may run {queue['timeout']} s.",
            hint="django-q2 would run a task a second time while the first one still works. Make retry longer than "
            f"{_longest_stay(queue)} s: timeout × (1 + (queue_limit + bulk + 1) / workers).",
            id="project88.E001",
        )
        for name, queue in queues.items()
        if queue["retry"] <= queue["timeout"]
    ]


def _longest_stay(queue: dict[str, Any]) -> int:
    """Seconds from the moment a task is taken out of the queue until it must have ended."""
    waiting = queue.get("queue_limit", 1) + queue.get("bulk", 1) + 1
    return round(queue["timeout"] * (1 + waiting / queue.get("workers", 1)))


@register()
def caller_registration_is_set(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """W001 while RUNSIGNUP_REG is empty (contract §0.1). The sandbox needs none."""
    if settings.RUNSIGNUP_REG or urlsplit(settings.RUNSIGNUP_URL).hostname in LOOPBACK_HOSTS:
        return []
    return [
        checks.Warning(
            "RUNSIGNUP_REG is not set: from 2027-01-01 on RunSignUp refuses calls without API caller registration.",
            hint="Register this installation on RunSignUp's page “API Keys” (free) and set RUNSIGNUP_REG and "
            "RUNSIGNUP_REG_SECRET.",
            id="project88.W001",
        )
    ]


@register(Tags.database)
def database_is_new_enough(
    *, databases: Sequence[str] | None = None, app_configs: Any = None, **kwargs: Any
) -> list[CheckMessage]:
    """E002 for a PostgreSQL whose features the queries count on are missing."""
    found: list[CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version_num")
            version = int(cursor.fetchone()[0]) // 10_000
        if version < OLDEST_POSTGRESQL:
            found.append(
                Error(
                    f"The database {alias!r} is PostgreSQL {version}; Project88 needs {OLDEST_POSTGRESQL} or newer.",
                    hint="Upgrade the server, or leave DATABASE_URL empty: the project then starts its own PostgreSQL.",
                    id="project88.E002",
                )
            )
    return found
