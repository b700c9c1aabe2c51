"""Loading a new partner's history without a person at a terminal: the cluster does it, some minutes at a time.

A worker of the lanes' queue does it, and must be free again long before its task would be ended by force. Between two
turns the row says that the cluster goes on with it; a schedule of every minute looks for such rows, so nothing is lost
with a task or a process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db.models import Exists, OuterRef, Q
from django_q.tasks import async_task

from partners.models import Credential
from sync import queues, stopping
from sync.core.policy import Policy
from sync.models import Backfill
from sync.services.backfill import BackfillBusy, BackfillRunner, Scope, backfill_claim
from sync.services.leases import Fenced

logger = logging.getLogger(__name__)

SECONDS_AT_ONCE = 240.0
# Of the eight workers of that queue: the others are the lanes'.
RUNNING_AT_ONCE = 2


def backfill_ask(*, partner_id: int, now: datetime) -> bool:
    """Have the cluster load all of this partner's history. False when somebody has begun to load it already."""
    backfill, is_new = Backfill.objects.get_or_create(
        partner_id=partner_id,
        race=None,
        since=None,
        defaults={"status": Backfill.Status.WAITING, "by_cluster": True, "started_at": now},
    )
    if is_new:
        logger.info("Backfill asked for", extra={"action": "backfill_asked", "backfill": backfill.pk})
    return is_new


def backfills_continue(*, now: datetime) -> list[int]:
    """Queue the loads that wait for a turn, each when the races of all its partner's keys are known; their pks."""
    theirs = Credential.objects.filter(partner=OuterRef("partner"))
    usable = theirs.exclude(status__in=[Credential.Status.REFUSED, Credential.Status.PAUSED])
    begun = Backfill.objects.filter(by_cluster=True).exclude(status=Backfill.Status.DONE)
    waiting = begun.filter(Q(lease_until=None) | Q(lease_until__lt=now), Exists(usable), partner__is_active=True)
    turns = RUNNING_AT_ONCE - begun.filter(lease_until__gte=now).count()
    found = waiting.exclude(Exists(usable.filter(discovered_at=None))).order_by("pk").values_list("pk", flat=True)
    queued = list(found[: max(0, turns)])
    for pk in queued:
        async_task("sync.tasks.backfill", pk, cluster=queues.SYNC, group="backfill")
    return queued


def backfill_turn(*, backfill_id: int, policy: Policy, now: datetime, seconds: float = SECONDS_AT_ONCE) -> None:
    """Go on with one of them for `seconds`; nothing when another process is at it, or when it is done.

    What is left then waits for its next turn. When all races were tried, those that failed wait for a person.
    """
    waiting = Backfill.objects.select_related("partner").filter(pk=backfill_id, by_cluster=True)
    backfill = waiting.exclude(status=Backfill.Status.DONE).first()
    if backfill is None or backfill.partner is None:
        return
    try:
        claimed = backfill_claim(Scope(partner=backfill.partner), restart=False, now=now)
    except BackfillBusy:
        return
    runner = BackfillRunner(claimed, tell=lambda _progress: None, policy=policy)
    try:
        with _stopped_after(runner, seconds):
            runner.run()
    except Fenced:
        return
    except BaseException:
        # What nobody foresaw would happen again every minute.
        _hand_over(claimed)
        raise
    if not runner.stop.is_set():
        _hand_over(claimed)


def _hand_over(backfill: Backfill) -> None:
    Backfill.objects.filter(pk=backfill.pk).update(by_cluster=False)


@contextmanager
def _stopped_after(runner: BackfillRunner, seconds: float) -> Iterator[None]:
    """Ask the runner to stop at its next page, when its time is over or this process is about to end."""
    done, until = threading.Event(), time.monotonic() + seconds

    def watch() -> None:
        while not done.wait(1.0):
            if stopping.requested() or time.monotonic() > until:
                runner.stop.set()
                return

    watcher = threading.Thread(target=watch, name="backfill-turn", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
