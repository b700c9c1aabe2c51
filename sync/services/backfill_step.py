"""One race of a backfill: all its editions, page by page, with a checkpoint after each page."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

from django.db import transaction
from django.db.models import Q

from partners.documents import ParticipantPage, RemovedRow
from partners.gate import database_now
from partners.runsignup import paging
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.editions import lists_all_editions
from partners.runsignup.errors import Gone, Refused
from partners.runsignup.parsing import decode_participant
from races import ingest, removals
from races.models import Event, Participant, Race
from races.race_store import races_store
from sync.core.cursors import next_cursor
from sync.core.tiers import zone_of
from sync.models import BackfillStep, EventSync, Outcome, SyncRun, Trigger
from sync.services.event_schedule import reschedule
from sync.services.leases import LEASE
from sync.services.visit_outcomes import HELD, RUN_FIELDS, active_counts, held_text

MARKED_FIELDS = [
    "cursor", "removals_cursor", "checked_at", "removals_checked_at", "reconciled_at", "changed_at", "hold_reason",
    "listed_count", "mirror_count", "reconcile_removed", "reconcile_rejected", "reconcile_kept",
    "newest_registration_id",
]  # fmt: skip

Hold = Callable[[Iterable[int]], None]
"""Renews our claim and the leases of the runs with these pks; raises when the claim was taken over."""


@dataclass(slots=True, kw_only=True)
class StepState:
    """A step while it runs. `whole`: this process reads every page itself, so it knows who is missing."""

    step: BackfillStep
    events: list[Event]
    runs: dict[int, SyncRun]
    whole: bool
    # A sentence for each event that is not there for us; the others of the race are loaded without it.
    left_out: list[str] = field(default_factory=list)
    present_before: dict[int, set[int]] = field(default_factory=dict)
    seen: dict[int, set[int]] = field(default_factory=dict)
    # Rows that could not be read, with an id: nobody of them is missing.
    unreadable: set[int] = field(default_factory=set)
    # What the comparison found, by Event.pk; empty when this process did not read every page.
    missing: dict[int, removals.MissingCounts] = field(default_factory=dict)

    @property
    def run_ids(self) -> dict[int, int]:
        return {event_id: run.pk for event_id, run in self.runs.items()}


def step_open(step: BackfillStep, *, client: RunSignUpClient, since: date | None, hold: Hold) -> StepState:
    """Learn all editions of the race, if they are not known yet, and write the open runs. Raises ProviderError."""
    now = database_now()
    if step.started_at is None:
        if not lists_all_editions(step.race.raw):
            _learn_editions(step.race, client, hold=hold, now=now)
        step.started_at = now
        step.save(update_fields=["started_at"])
    events = list(_events(step.race, since=since))
    visit = uuid.uuid4()
    runs = [
        SyncRun(event=event, visit=visit, trigger=Trigger.BACKFILL, full=True, started_at=now, lease_until=now + LEASE)
        for event in events
    ]
    SyncRun.objects.bulk_create(runs)
    state = StepState(
        step=step,
        events=events,
        runs={run.event_id: run for run in runs},
        whole=step.after_registration_id == 0,
    )
    if state.whole:
        for event in events:
            active = Participant.objects.filter(event=event, removed_at=None)
            state.present_before[event.pk] = set(active.values_list("registration_id", flat=True))
    return state


def _learn_editions(race: Race, client: RunSignUpClient, *, hold: Hold, now: datetime) -> None:
    document = client.race(race_id=race.provider_race_id)
    with transaction.atomic():
        hold([])
        report = races_store(credential=race.credential, documents=[document], now=now)
        reschedule(events=Event.objects.filter(pk__in=report.reschedule).select_related("race"), now=now)


def _events(race: Race, *, since: date | None):
    events = Event.objects.filter(race=race, gone_at=None).select_related("race").order_by("pk")
    if since is None:
        return events
    # The day of the race, not of UTC. What has no start yet did not start before.
    first = datetime.combine(since, time(), zone_of(race.timezone))
    return events.filter(Q(starts_at=None) | Q(starts_at__gte=first))


def step_run(state: StepState, *, client: RunSignUpClient, hold: Hold) -> None:
    """Fetch and store what is left of the race and close its runs. Raises ProviderError: the checkpoint stays."""
    try:
        _load(state, client=client, hold=hold)
    except (Gone, Refused) as error:
        if not _leave_out(state, error, client=client, hold=hold):
            raise
        _load(state, client=client, hold=hold)


def _leave_out(state: StepState, error: Gone | Refused, *, client: RunSignUpClient, hold: Hold) -> bool:
    """Ask for each event alone, and go on without those that are not there. False: it is not about single events."""
    if len(state.events) == 1 or (isinstance(error, Refused) and error.scope == "key"):
        return False
    bad: dict[int, Gone | Refused] = {}
    for event in state.events:
        try:
            client.participants_page(
                race_id=state.step.race.provider_race_id, event_ids=[event.provider_event_id], page_size=1
            )
        except (Gone, Refused) as answer:
            bad[event.pk] = answer
    if not 0 < len(bad) < len(state.events):
        return False
    now = database_now()
    with transaction.atomic():
        hold(state.run_ids.values())
        for event in state.events:
            if event.pk in bad:
                _close_alone(state, event, bad[event.pk], now=now)
    state.events = [event for event in state.events if event.pk not in bad]
    return True


def _close_alone(state: StepState, event: Event, error: Gone | Refused, *, now: datetime) -> None:
    run = state.runs.pop(event.pk)
    run.outcome = Outcome.GONE if isinstance(error, Gone) else Outcome.REFUSED
    run.error_class, run.error_text = type(error).__name__, error.text
    run.finished_at, run.lease_until = now, None
    run.save()
    state.left_out.append(f"{event.name} ({event.provider_event_id}): {error.text}")
    if isinstance(error, Gone):
        Event.objects.filter(pk=event.pk).update(gone_at=now)
        reschedule(events=Event.objects.filter(pk=event.pk).select_related("race"), now=now)


def _load(state: StepState, *, client: RunSignUpClient, hold: Hold) -> None:
    step, race = state.step, state.step.race
    if state.events:
        pages = paging.participant_pages(
            client,
            race_id=race.provider_race_id,
            event_ids=[event.provider_event_id for event in state.events],
            after_registration_id=step.after_registration_id,
        )
        for page in pages:
            with transaction.atomic():
                _store(state, page)
                # Last, because all keys of a backfill hold the same row: the others wait for this line only.
                hold(state.run_ids.values())
    left = _removed_rows(state, client, hold=hold) if state.events else []
    with transaction.atomic():
        _close(state, left)
        hold(state.run_ids.values())


def _store(state: StepState, page: ParticipantPage) -> None:
    step = state.step
    stored = ingest.store_participants(
        race=step.race, rows=page.rows, decode=decode_participant, now=database_now(), runs=state.run_ids
    )
    pk_of = {event.provider_event_id: event.pk for event in state.events}
    for row in page.rows:
        if row.event_id in pk_of:
            state.seen.setdefault(pk_of[row.event_id], set()).add(row.registration_id)
    for event_id, counts in stored.items():
        step.added += counts.added
        step.changed += counts.changed + counts.restored
        step.rejected += len(counts.rejected)
        if event_id in state.runs:
            run = state.runs[event_id]
            run.fetched += counts.fetched
            run.added += counts.added + counts.restored
            run.changed += counts.changed
            run.rejected += len(counts.rejected)
            run.error_text = "; ".join(
                text
                for text in [
                    run.error_text,
                    *(f"registration {r.registration_id}: {r.reason}" for r in counts.rejected),
                ]
                if text
            )[:2000]
    step.rejected += len(page.rejected)
    state.unreadable |= {bad.registration_id for bad in page.rejected if bad.registration_id is not None}
    if any(bad.registration_id is None for bad in page.rejected):
        # It may be anybody, so nobody can be called missing.
        state.whole = False
    step.pages += 1
    step.rows += page.size
    for run in state.runs.values():
        run.pages += 1
    if step.server_time is None:
        step.server_time = page.server_time
    if page.last_registration_id is not None:
        step.after_registration_id = page.last_registration_id
    step.save()


def _removed_rows(state: StepState, client: RunSignUpClient, *, hold: Hold) -> list[RemovedRow]:
    """Who left while the pages were read, or since the mirror last looked; nothing to ask after a first, whole load."""
    # Who continues at a checkpoint does not know who is missing: then all who ever left are asked for.
    missing = any(state.present_before.get(event.pk, set()) - state.seen.get(event.pk, set()) for event in state.events)
    if state.whole and not missing and state.step.pages <= 1:
        return []
    pages = paging.removed_pages(
        client,
        race_id=state.step.race.provider_race_id,
        event_ids=[event.provider_event_id for event in state.events],
        # The reasons of those who are missing may be old; otherwise only what happened while we read counts.
        modified_after=_cursor(state) if state.whole and not missing else None,
    )
    rows: list[RemovedRow] = []
    for page in pages:
        rows += page.rows
        hold(state.run_ids.values())
    return rows


def _cursor(state: StepState) -> int | None:
    started = state.step.started_at
    assert started is not None  # noqa: S101 - step_open has set it
    return next_cursor(before=None, newest_seen=None, server_time=state.step.server_time, now=int(started.timestamp()))


def _close(state: StepState, left: Sequence[RemovedRow]) -> None:
    step, now = state.step, database_now()
    removed = removals.apply_removed(race=step.race, rows=left, now=now, runs=state.run_ids)
    for event in state.events:
        run = state.runs[event.pk]
        run.removed += removed[event.pk].removed if event.pk in removed else 0
        if state.whole:
            missing = removals.mark_missing(
                event=event,
                seen=state.seen.get(event.pk, set()) | state.unreadable,
                present_before=state.present_before[event.pk],
                begun=run.started_at,
                now=now,
                run=run.pk,
            )
            run.removed += missing.removed
            state.missing[event.pk] = missing
        run.outcome = Outcome.OK if run.added + run.changed + run.removed + run.rejected else Outcome.UNCHANGED
    _mark_checked(state)
    runs_close(state, now=now)
    notes = [*state.left_out, *(text for event in state.events if (text := _held_text(state, event.pk)))]
    step.status, step.error_text = BackfillStep.Status.DONE, "; ".join(notes)
    step.save(update_fields=["status", "error_text"])


def _held_text(state: StepState, event_id: int) -> str:
    missing = state.missing.get(event_id)
    return held_text(held=missing.held, of=len(state.present_before[event_id])) if missing else ""


def _mark_checked(state: StepState) -> None:
    """An event that no visit has completed yet starts its incremental fetches where this load began."""
    rows = list(EventSync.objects.select_for_update().filter(event__in=state.events).order_by("pk"))
    active = active_counts(list(state.missing))
    for row in rows:
        if row.cursor is None:
            _start_cursors(row, state)
        if row.event_id in state.missing:
            _note_comparison(row, state, mirror_count=active[row.event_id])
    EventSync.objects.bulk_update(rows, MARKED_FIELDS)


def _start_cursors(row: EventSync, state: StepState) -> None:
    row.cursor = row.removals_cursor = _cursor(state)
    row.checked_at = row.removals_checked_at = state.step.started_at
    # Ids ascend in time: whoever registered since has a higher one than all that were read.
    row.newest_registration_id = state.step.after_registration_id
    if state.runs[row.event_id].outcome == Outcome.OK:
        row.changed_at = state.runs[row.event_id].started_at


def _note_comparison(row: EventSync, state: StepState, *, mirror_count: int) -> None:
    """This process compared the whole list, unless a visit did so later."""
    run, missing = state.runs[row.event_id], state.missing[row.event_id]
    if row.reconciled_at is not None and row.reconciled_at >= run.started_at:
        return
    # What waits for a person is noted whoever found it, and no longer once the list is whole.
    if missing.held or row.hold_reason.endswith(HELD):
        row.hold_reason = _held_text(state, row.event_id)
    row.reconciled_at = run.started_at
    row.listed_count, row.mirror_count = len(state.seen.get(row.event_id, set())), mirror_count
    row.reconcile_removed, row.reconcile_rejected = run.removed, run.rejected
    row.reconcile_kept = missing.held + missing.kept


def runs_close(
    state: StepState, *, now: datetime, outcome: Outcome | None = None, text: str = "", error: str = ""
) -> None:
    """Close the open runs; `outcome` for those that did not come to their end."""
    for run in state.runs.values():
        run.finished_at, run.lease_until = now, None
        if outcome is not None:
            run.outcome, run.error_text, run.error_class = outcome, text, error
    SyncRun.objects.bulk_update(state.runs.values(), RUN_FIELDS)
