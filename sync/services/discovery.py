"""Discovery: ask a key for its races, twice a day, and put their events into the schedule.

The list is asked for one year back, the provider's own limit: it hides races that are over unless a date is sent, and a
race that is only known by its past edition must be known too, or nobody could load its history or show its result day.
Up to 1,000 races are one call either way. Past editions of a race that has a coming one are not listed; backfill loads
them race by race. A race that is not listed any more stays: only an explicit answer about it says that it is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import F, Q
from django_q.tasks import async_task

from partners import gate, providers
from partners.documents import RacesPage
from partners.gate import NoBudget
from partners.models import Credential, TimingPartner
from partners.runsignup import paging
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.errors import ProviderError, Refused
from races.models import Event
from races.race_store import races_store
from sync import queues
from sync.core.discovery_times import discovery_due
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import reschedule
from sync.services.key_refusals import refusal_confirmed

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=364)
# Three pages (more is the public catalogue), each with a wait and a call, and a refusal's confirming call.
CLAIM_LASTS = timedelta(minutes=5)
FAILED_WAITS = timedelta(minutes=5)
CALL_PATIENCE = 20.0
# One look, each minute, starts at most this many: keys whose day begins at once must leave workers to the lanes.
STARTED_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryReport:
    """What one discovery found. `problem` says why it did not come to its end, "" when it did."""

    credential_id: int
    calls: int = 0
    pages: int = 0
    races: int = 0
    events: int = 0
    races_added: int = 0
    events_added: int = 0
    events_changed: int = 0
    scheduled: int = 0
    rejected: tuple[str, ...] = ()
    problem: str = ""


Progress = Callable[[DiscoveryReport], None]


class _TakenOver(Exception):
    """Our claim ended and another discovery has begun: what it finds is newer than what we hold."""


def discovery_run(
    *,
    credential_id: int,
    now: datetime,
    asked_at: datetime | None = None,
    progress: Progress | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> DiscoveryReport | None:
    """Find the races of one key; None when another discovery of it runs, or one that began after `asked_at` is done.

    `now` is the database's time. A failure is in the report; what was stored before it stays.
    """
    credential = Credential.objects.select_related("partner").get(pk=credential_id)
    report = DiscoveryReport(credential_id=credential_id)
    if reason := blocked_reason(credential):
        return replace(report, problem=f"Not looked for races: {reason}.")
    claim = _claim(credential_id, now=now, asked_at=asked_at)
    if claim is None:
        return None
    transport = providers.make_transport(credential)
    client = RunSignUpClient(
        transport=transport,
        gate=partial(gate.call, credential_id, purpose="background", patience=CALL_PATIENCE, reserves=policy.reserves),
    )
    try:
        for page in paging.all_races(client, start_date=(now - LOOK_BACK).date()):
            report = _store(credential, page, report, claim=claim, now=now, policy=policy)
            if progress:
                progress(replace(report, calls=client.calls))
        _finish(credential_id, claim=claim, now=now)
    except Exception as error:
        report = replace(report, problem=_problem(error, client, credential, now=now))
        _wait(credential_id, claim=claim, until=now + max(FAILED_WAITS, _asked_to_wait(error)))
    finally:
        transport.close()
    report = replace(report, calls=client.calls)
    _log(report)
    return report


def _claim(credential_id: int, *, now: datetime, asked_at: datetime | None) -> datetime | None:
    """The end of our claim, which also proves that it is ours."""
    until = now + CLAIM_LASTS
    free = Credential.objects.filter(pk=credential_id).filter(
        Q(discovery_claimed_until=None) | Q(discovery_claimed_until__lte=now)
    )
    if asked_at is not None:
        free = free.filter(Q(discovered_at=None) | Q(discovered_at__lt=asked_at))
    return until if free.update(discovery_claimed_until=until) else None


def _store(
    credential: Credential, page: RacesPage, report: DiscoveryReport, *, claim: datetime, now: datetime, policy: Policy
) -> DiscoveryReport:
    with transaction.atomic():
        # Two keys of a partner may see the same races: their discoveries write one after the other.
        TimingPartner.objects.select_for_update(no_key=True).get(pk=credential.partner_id)
        if not Credential.objects.filter(pk=credential.pk, discovery_claimed_until=claim).exists():
            raise _TakenOver
        stored = races_store(credential=credential, documents=page.races, now=now)
        events = Event.objects.filter(pk__in=stored.reschedule).select_related("race").defer("raw", "race__raw")
        scheduled = reschedule(events=events, now=now, policy=policy)
    return replace(
        report,
        pages=report.pages + 1,
        races=report.races + len(page.races),
        events=report.events + sum(len(race.events) for race in page.races),
        races_added=report.races_added + stored.races_added,
        events_added=report.events_added + stored.events_added,
        events_changed=report.events_changed + stored.events_changed,
        scheduled=report.scheduled + scheduled,
        rejected=(*report.rejected, *page.rejected, *stored.rejected),
    )


def _finish(credential_id: int, *, claim: datetime, now: datetime) -> None:
    """As of its start: what changed at the provider meanwhile is the next discovery's."""
    ours = Credential.objects.filter(pk=credential_id, discovery_claimed_until=claim)
    ours.update(discovered_at=now, discovery_claimed_until=None)


def _wait(credential_id: int, *, claim: datetime, until: datetime) -> None:
    Credential.objects.filter(pk=credential_id, discovery_claimed_until=claim).update(discovery_claimed_until=until)


def _problem(error: Exception, client: RunSignUpClient, credential: Credential, *, now: datetime) -> str:
    match error:
        case _TakenOver():
            return "Another discovery of this key took over."
        case Refused():
            # One refused answer may be the provider's mistake; a second call decides whether the key stops.
            stops = refusal_confirmed(client, credential, error, now=now)
            return f"{error.text} Asked twice: the key is not used until somebody verifies it." if stops else error.text
        case ProviderError():
            return error.text
        case NoBudget():
            return f"The key may not call now: {error.reason}."
    logger.exception("Discovery failed", extra={"action": "discovery_failed", "credential": credential.pk})
    return f"Project88 failed here ({type(error).__name__}). Staff find the details in the log."


def _asked_to_wait(error: Exception) -> timedelta:
    return timedelta(seconds=error.wait) if isinstance(error, NoBudget) else timedelta(0)


def _log(report: DiscoveryReport) -> None:
    logger.log(
        logging.WARNING if report.problem or report.rejected else logging.INFO,
        "Discovery finished",
        extra={
            "action": "discovery_finished",
            "credential": report.credential_id,
            "calls": report.calls,
            "races": report.races,
            "races_added": report.races_added,
            "events_added": report.events_added,
            "events_changed": report.events_changed,
            "rejected": list(report.rejected[:10]),
            "problem": report.problem,
        },
    )


def discoveries_start(*, now: datetime) -> list[int]:
    """Queue the discoveries that are due, one task each, new keys first; returns their credentials.

    On the queue of the lanes: a discovery must not delay a cycle, nor wait an hour behind a backfill. It is as short as
    a lane, and a task that is queued twice finds the work done.
    """
    keys = (
        Credential.objects.filter(partner__is_active=True)
        .exclude(status__in=[Credential.Status.REFUSED, Credential.Status.PAUSED])
        .filter(Q(discovery_claimed_until=None) | Q(discovery_claimed_until__lte=now))
        .order_by(F("discovered_at").asc(nulls_first=True), "pk")
        .values_list("pk", "discovered_at", "partner__timezone")
    )
    due = [pk for pk, at, zone in keys if discovery_due(discovered_at=at, timezone=zone, now=now)][:STARTED_AT_ONCE]
    for credential_id in due:
        async_task("sync.tasks.discovery", credential_id, now.isoformat(), cluster=queues.SYNC, group="discovery")
    return due
