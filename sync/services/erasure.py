"""Erasing all of a partner who left: in transactions of some thousand rows each, so that nobody waits for it, and what
is left tells where it goes on after a stop. The partner's own row goes last."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django_q.tasks import async_task

from partners.audit import Action, audit_note, cluster_actor
from partners.gate import database_now
from partners.models import ApiUsage, Credential, PartnerMembership, TimingPartner
from races.models import (
    Event,
    HeldRemoval,
    Participant,
    ParticipantChange,
    Race,
    RaceAccess,
    ShareLink,
    StartListExport,
)
from races.race_lock import race_lock
from sync import queues, stopping
from sync.models import Backfill, BackfillStep, EventDay, EventSync, SyncRun

logger = logging.getLogger(__name__)

ROWS_PER_TRANSACTION = 2000
# A worker of the lanes does it; it shall be free again soon.
SECONDS_AT_ONCE = 240.0

# What belongs to a race, in the order in which it goes: (model, the path to its race).
OF_A_RACE: tuple[tuple[type[Model], str], ...] = (
    (ParticipantChange, "event__race"),
    (Participant, "event__race"),
    (HeldRemoval, "event__race"),
    (StartListExport, "race"),
    (SyncRun, "event__race"),
    (EventDay, "event__race"),
    (EventSync, "event__race"),
    (BackfillStep, "race"),
    (ShareLink, "race"),
    (RaceAccess, "race"),
    (Event, "race"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goes:
    what: str
    number: int


def erasure_counts(partner: TimingPartner) -> tuple[Goes, ...]:
    """What erasing this partner deletes, in the words of the pages."""

    def of(model: type[Model], path: str) -> int:
        return model._default_manager.filter(**{path: partner}).count()

    return (
        Goes(what="races", number=of(Race, "partner")),
        Goes(what="events", number=of(Event, "race__partner")),
        Goes(what="registrations", number=of(Participant, "event__race__partner")),
        Goes(what="changes of registrations", number=of(ParticipantChange, "event__race__partner")),
        Goes(what="sync runs", number=of(SyncRun, "event__race__partner")),
        Goes(what="exported start lists", number=of(StartListExport, "race__partner")),
        Goes(what="share links", number=of(ShareLink, "race__partner")),
        Goes(what="keys with the record of their calls", number=of(Credential, "partner")),
    )


def erasures_continue() -> list[int]:
    """Queue a turn for each partner that is to be erased; a second one at the same time does nothing."""
    partners = list(TimingPartner.objects.filter(erase_asked_at__isnull=False).values_list("pk", flat=True))
    for pk in partners:
        async_task("sync.tasks.erasure", pk, cluster=queues.SYNC, group="erasure")
    return partners


def erasure_turn(*, partner_id: int, seconds: float = SECONDS_AT_ONCE) -> bool:
    """Erase for `seconds`; True when nothing is left. Only of a partner for which it was asked.

    While another turn is at it this one ends at once: it would only hold a worker that the lanes need.
    """
    until = time.monotonic() + seconds
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended('sync.erasure', %s))", [partner_id])
        if cursor.fetchone() != (True,):
            return False
    try:
        return partner_erase(partner_id=partner_id, stop=lambda: stopping.requested() or time.monotonic() > until)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended('sync.erasure', %s))", [partner_id])


def partner_erase(*, partner_id: int, stop: Callable[[], bool] = lambda: False) -> bool:
    """Erase a partner that was asked to be erased; `stop` is asked between two transactions. True: nothing is left."""
    partner = TimingPartner.objects.filter(pk=partner_id, erase_asked_at__isnull=False).first()
    if partner is None:
        return True
    deleted = 0
    for race_pk in list(Race.objects.filter(partner=partner).order_by("pk").values_list("pk", flat=True)):
        for model, path in OF_A_RACE:
            found = model._default_manager.filter(**{path: race_pk})
            while True:
                gone = _batch_delete(found, race_pk=race_pk)
                deleted += gone
                if gone < ROWS_PER_TRANSACTION:
                    break
                if stop():
                    return False
        _row_delete(race_pk)
        if stop():
            return False
    while gone := _batch_delete(ApiUsage.objects.filter(credential__partner=partner), race_pk=0):
        deleted += gone
    with transaction.atomic():
        if not TimingPartner.objects.select_for_update().filter(pk=partner_id).exists():
            # Another turn was faster, and has noted it.
            return True
        audit_note(action=Action.ERASURE_FINISHED, by=cluster_actor(), target=partner, now=database_now())
        Backfill.objects.filter(partner=partner).delete()
        PartnerMembership.objects.filter(partner=partner).delete()
        Credential.objects.filter(partner=partner).delete()
        partner.delete()
    logger.info("Partner erased", extra={"action": "partner_erased", "partner": partner.slug, "rows": deleted})
    return True


def _batch_delete(rows: QuerySet[Any], *, race_pk: int) -> int:
    with transaction.atomic():
        # A last visit of this race may still be writing; and two turns of the same erasure go one after the other.
        race_lock(race_pk)
        batch = list(rows.order_by().values_list("pk", flat=True)[:ROWS_PER_TRANSACTION])
        # Past Django's collector, which would read every row to look for what hangs on it: that is gone already.
        return rows.model._default_manager.filter(pk__in=batch)._raw_delete(connection.alias) if batch else 0


def _row_delete(race_pk: int) -> None:
    """The race itself, with what a visit may have added in between."""
    with transaction.atomic():
        race_lock(race_pk)
        Race.objects.filter(pk=race_pk).delete()
