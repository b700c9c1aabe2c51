"""One visit: a conversation with the provider about one race, for all its events that are due.

Fetch a page, store it, renew the lease; after the last page of an error-free fetch store the cursor, the runs and the
next due times in one transaction. No call is made inside a transaction.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.db import transaction

from partners.documents import ParticipantPage, RemovedRow
from partners.gate import database_now
from partners.runsignup import paging
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.parsing import decode_participant
from races import ingest, removals
from races.held_removals import listed_again
from races.models import Participant
from races.version_order import MISSING
from sync.core.cadence import ids_due, reconcile_due, removals_due
from sync.core.pace import Pace
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.core.slots import comes_along
from sync.core.tiers import Tier
from sync.models import EventSync, SyncRun, Trigger
from sync.services import visit_outcomes
from sync.services.event_schedule import window_of
from sync.services.leases import lane_hold
from sync.services.visit_state import EventVisit, Visit

logger = logging.getLogger(__name__)


def visit_open(
    *,
    credential_id: int,
    fence: int,
    race_id: int,
    pace: Pace,
    trigger: Trigger | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> Visit | None:
    """Claim the picked events of a race, and those that come along, and write their open runs.

    None when nothing of the race is picked any more. `trigger` overrides what the schedule says. Raises Fenced.
    """
    with transaction.atomic():
        lease_until = lane_hold(credential_id, fence=fence)
        now = database_now()
        rows = list(
            EventSync.objects.select_for_update(of=("self",))
            .filter(credential_id=credential_id, event__race_id=race_id, due_at__isnull=False)
            .select_related("event__race")
            .order_by("pk")
        )
        if not any(row.picked_at for row in rows):
            return None
        taken = [row for row in rows if row.picked_at or _comes_along(row, now=now, policy=policy)]
        visit_id = uuid.uuid4()
        runs = [_open_run(row, visit_id, now=now, trigger=trigger, policy=policy) for row in taken]
        for run in runs:
            run.lease_until = lease_until
        SyncRun.objects.bulk_create(runs)
        EventSync.objects.filter(pk__in=[row.pk for row in taken], picked_at=None).update(picked_at=now)
    return Visit(
        race=taken[0].event.race,
        fence=fence,
        credential_id=credential_id,
        started_at=now,
        events=[EventVisit(row=row, run=run, full=run.full) for row, run in zip(taken, runs, strict=True)],
        pace=pace,
    )


def _comes_along(row: EventSync, *, now: datetime, policy: Policy) -> bool:
    if row.tier is None or row.due_at is None:
        return False
    return comes_along(due_at=row.due_at, now=now, tier=Tier(row.tier), policy=policy)


def _open_run(
    row: EventSync, visit_id: uuid.UUID, *, now: datetime, trigger: Trigger | None, policy: Policy
) -> SyncRun:
    # Who asks for a sync of a list that waits for a person wants to know whether it is whole again.
    looks_again = row.due_trigger == Trigger.MANUAL and row.hold_reason.endswith(visit_outcomes.HELD)
    full = (
        row.cursor is None
        or row.due_trigger == Trigger.RECONCILE
        or looks_again
        or reconcile_due(window=window_of(row.event), reconciled_at=row.reconciled_at, now=now, policy=policy)
    )
    return SyncRun(
        event_id=row.event_id,
        visit=visit_id,
        cycle_id=row.picked_cycle_id,
        trigger=trigger or row.due_trigger,
        tier=row.tier,
        came_along=row.picked_at is None,
        full=full,
        due_at=row.due_at,
        started_at=now,
        cursor_before=row.cursor,
    )


def visit_run(visit: Visit, client: RunSignUpClient, *, policy: Policy = DEFAULT_POLICY) -> None:
    """Fetch and store. Raises ProviderError, NoBudget or Fenced: what was stored stays, the cursors do not move."""
    for item in visit.events:
        item.begin()
        if item.full:
            item.present_before = _active_ids(item.row.event_id)
            item.missing_before = _missing_ids(item.row)
    # The last page is not stored alone: it shares the transaction of the cursors.
    last = _store_all_but_last(visit, _pages(visit, client))
    if _asks_for_removals(visit):
        known = [item for item in visit.events if item.row.removals_cursor is not None]
        since = min(item.row.removals_cursor or 0 for item in known)
        visit.removed_rows = _removed_rows(visit, client, of=known, since=since)
        visit.removals_asked = True
    if unexplained := _unexplained(visit, last):
        # They left before the last look, which was not told: the reason and the successor are in the whole list.
        visit.removed_rows += _removed_rows(visit, client, of=unexplained, since=None)
    with visit.storing(), transaction.atomic():
        lane_hold(visit.credential_id, fence=visit.fence)
        if last is not None:
            _store(visit, last)
        _store_removals(visit)
        visit_outcomes.close_good(visit, calls=client.calls - visit.calls_before, policy=policy)


def _active_ids(event_id: int) -> set[int]:
    active = Participant.objects.filter(event_id=event_id, removed_at=None)
    return set(active.values_list("registration_id", flat=True))


def _missing_ids(row: EventSync) -> set[int]:
    """Who has been missing without a reason since the comparison before: their reason is asked for once more."""
    missing = Participant.objects.filter(event_id=row.event_id, removed_reason=MISSING)
    if row.reconciled_at is not None:
        missing = missing.filter(removed_at__gte=row.reconciled_at)
    return set(missing.values_list("registration_id", flat=True))


def _pages(visit: Visit, client: RunSignUpClient) -> Iterator[ParticipantPage]:
    """What is compared in full, then what changed since the oldest cursor of the others, and now and then who of these
    is new by id: a new registration may bear an old time of change, and one call cannot ask for either (contract §3.2).
    """
    race_id = visit.race.provider_race_id
    if full := visit.event_ids(full=True):
        yield from _noted(visit, paging.participant_pages(client, race_id=race_id, event_ids=full))
    if changed := visit.event_ids(full=False):
        since = min(item.row.cursor or 0 for item in visit.events if not item.full)
        yield from paging.participant_pages(client, race_id=race_id, event_ids=changed, modified_after=since)
    if by_id := _asked_by_id(visit):
        newest = min(item.row.newest_registration_id or 0 for item in by_id)
        ids = [item.row.event.provider_event_id for item in by_id]
        pages = paging.participant_pages(client, race_id=race_id, event_ids=ids, after_registration_id=newest)
        yield from _noted(visit, pages)


def _noted(visit: Visit, pages: Iterable[ParticipantPage]) -> Iterator[ParticipantPage]:
    for page in pages:
        visit.note_ids(page)
        yield page


def _asked_by_id(visit: Visit) -> list[EventVisit]:
    """Those that are not compared in full, once one of them is due for it; noted for the end of the visit."""
    known = [item for item in visit.events if not item.full and item.row.newest_registration_id is not None]
    race_id, overloaded = visit.race.provider_race_id, visit.pace.overloaded
    due = any(
        ids_due(
            tier=Tier(item.row.tier or Tier.LOW.value),
            visits=item.row.visits,
            overloaded=overloaded,
            race_id=race_id,
        )
        for item in known
        if not item.run.came_along
    )
    for item in known:
        item.asked_by_id = due
    return known if due else []


def _store_all_but_last(visit: Visit, pages: Iterator[ParticipantPage]) -> ParticipantPage | None:
    held: ParticipantPage | None = None
    for page in pages:
        if visit.server_time is None:
            visit.server_time = page.server_time
        with visit.storing(), transaction.atomic():
            visit_hold(visit)
            if held is not None:
                _store(visit, held)
        held = page
    return held


def visit_hold(visit: Visit) -> None:
    """Renew the leases of the lane and of the visit's runs, also of its other parts. Raises Fenced; in a transaction.

    After every call, so that no lease ends while the provider takes its time.
    """
    until = lane_hold(visit.credential_id, fence=visit.fence)
    SyncRun.objects.filter(visit=visit.id, lease_until__isnull=False).update(lease_until=until)


def _store(visit: Visit, page: ParticipantPage) -> None:
    stored = ingest.store_participants(
        race=visit.race, rows=page.rows, decode=decode_participant, now=visit.started_at, runs=visit.runs
    )
    by_provider_id = {item.row.event.provider_event_id: item for item in visit.events}
    for row in page.rows:
        item = by_provider_id.get(row.event_id)
        if item is None:
            continue
        item.seen.add(row.registration_id)
        if row.last_modified is not None:
            item.newest_modified = max(item.newest_modified or 0, row.last_modified)
    for item in visit.events:
        item.run.pages += 1
        counts = stored.get(item.row.event_id)
        if counts is None:
            continue
        item.run.fetched += counts.fetched
        item.run.added += counts.added + counts.restored
        item.run.changed += counts.changed
        _note_rejected(item.run, [f"registration {bad.registration_id}: {bad.reason}" for bad in counts.rejected])
    # A row whose event cannot be read belongs to no event: the first one shows it, and nobody of it is missing.
    _note_rejected(visit.events[0].run, [f"a row of the page: {bad.reason}" for bad in page.rejected])
    visit.has_nameless_rows |= any(bad.registration_id is None for bad in page.rejected)
    visit.unreadable |= {bad.registration_id for bad in page.rejected if bad.registration_id is not None}


def _note_rejected(run: SyncRun, reasons: Sequence[str]) -> None:
    run.rejected += len(reasons)
    shown = [text for text in [run.error_text, *reasons] if text]
    run.error_text = "; ".join(shown)[:2000]


def _asks_for_removals(visit: Visit) -> bool:
    """A first look needs no list of who left before; a full comparison needs the reasons of who is missing."""
    known = [item for item in visit.events if item.row.removals_cursor is not None]
    return any(item.full or _removals_due(item, overloaded=visit.pace.overloaded) for item in known)


def _removals_due(item: EventVisit, *, overloaded: bool) -> bool:
    """Not for who only came along: a sibling's cadence would cost a second call at most visits of the race."""
    if item.run.came_along:
        return False
    tier, race_id = Tier(item.row.tier or Tier.LOW.value), item.row.event.race.provider_race_id
    return removals_due(tier=tier, visits=item.row.visits, overloaded=overloaded, race_id=race_id)


def _unexplained(visit: Visit, last: ParticipantPage | None) -> list[EventVisit]:
    """The events of whose complete list somebody is missing without a reason. `last`: the page not stored yet."""
    accounted = visit.unreadable | {row.registration_id for row in visit.removed_rows}
    if last is not None:
        accounted |= {row.registration_id for row in last.rows}
        accounted |= {bad.registration_id for bad in last.rejected if bad.registration_id is not None}
    return [
        item
        for item in visit.events
        if item.full and (item.present_before | item.missing_before) - item.seen - accounted
    ]


def _removed_rows(
    visit: Visit, client: RunSignUpClient, *, of: Sequence[EventVisit], since: int | None
) -> list[RemovedRow]:
    pages = paging.removed_pages(
        client,
        race_id=visit.race.provider_race_id,
        event_ids=[item.row.event.provider_event_id for item in of],
        modified_after=since,
    )
    rows: list[RemovedRow] = []
    for page in pages:
        visit_hold(visit)
        rows += page.rows
        _note_rejected(visit.events[0].run, [f"a row of those who left: {bad.reason}" for bad in page.rejected])
    return rows


def _store_removals(visit: Visit) -> None:
    left = removals.apply_removed(race=visit.race, rows=visit.removed_rows, now=visit.started_at, runs=visit.runs)
    for item in visit.events:
        counts = left.get(item.row.event_id)
        item.run.removed += counts.removed if counts else 0
        if item.full and not visit.has_nameless_rows:
            missing = removals.mark_missing(
                event=item.row.event,
                seen=item.seen | visit.unreadable,
                present_before=item.present_before,
                begun=visit.started_at,
                now=visit.started_at,
                run=item.run.pk,
            )
            item.run.removed += missing.removed
            item.held, item.kept = missing.held, missing.held + missing.kept
        elif not item.full and item.row.reconcile_kept and item.seen:
            listed_again(event_id=item.row.event_id, seen=item.seen, now=visit.started_at)
