"""The nightly prune: contact data of events that are long over, a few minutes at a time."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from django.conf import settings
from django_q.tasks import async_task

from races.retention import retention_apply
from sync import queues, stopping

logger = logging.getLogger(__name__)

# A worker of the lanes does it; it shall be free again soon, and long before its task would be ended by force.
SECONDS_AT_ONCE = 240.0


def prune_start() -> None:
    """In the queue of the lanes: a cycle must never wait behind it."""
    async_task("sync.tasks.prune_events", cluster=queues.SYNC, group="prune")


def prune_continue(*, now: datetime) -> None:
    until = time.monotonic() + SECONDS_AT_ONCE
    report = retention_apply(
        months=settings.RETENTION_MONTHS,
        now=now,
        stop=lambda: stopping.requested() or time.monotonic() > until,
    )
    if report.events or report.people or report.reopened or report.audit:
        logger.info(
            "Contact data blanked",
            extra={
                "action": "prune_finished",
                "events": report.events,
                "people": report.people,
                "changes": report.changes,
                "audit": report.audit,
                "reopened": report.reopened,
                "finished": report.finished,
            },
        )
    if not report.finished:
        prune_start()
