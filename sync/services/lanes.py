"""One lane: the one worker that talks with one credential's key. It walks the picked races, HIGH first or in turn."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from partners import gate, providers
from partners.budget import Purpose, reserve
from partners.gate import NoBudget, database_now
from partners.models import Credential
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.errors import Gone, ProviderError, Refused, Throttled
from sync import stopping
from sync.core.pace import Pace
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.core.spending import first_call, kept_from_overtaking, later_call
from sync.core.tiers import Tier
from sync.core.turns import has_turn, place_in_line
from sync.models import EventSync, Outcome, Trigger
from sync.services import visit_outcomes
from sync.services.cycles import blocked_reason
from sync.services.key_pace import key_pace
from sync.services.key_refusals import refusal_confirmed
from sync.services.leases import Fenced, events_unpick, lane_claim, lane_release
from sync.services.visit_state import Visit
from sync.services.visits import visit_hold, visit_open, visit_run

logger = logging.getLogger(__name__)

# A lane starts no further visit after this, so that its worker serves other keys too.
LANE_SECONDS = 40.0
# The first call of a visit waits only for the key's other call to end; what has begun is worth waiting for.
FIRST_CALL_PATIENCE = 3.0
# Long enough for the slowest key (10 calls an hour: after its first one, one in 400 s).
LATER_CALL_PATIENCE = 480.0
# How often a visit that waits for its budget shows that it is alive.
LOOK_EVERY = 5.0


@dataclass(slots=True, kw_only=True)
class LaneReport:
    """What a lane did. `stopped` says why it ended before its work did, "" when nothing was left."""

    visits: int = 0
    calls: int = 0
    stopped: str = ""
    outcomes: list[str] = field(default_factory=list)


def lane_run(
    *,
    credential_id: int,
    seconds: float = LANE_SECONDS,
    trigger: Trigger | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> LaneReport | None:
    """Work off what the cycles picked for this credential; None when another lane is at it already."""
    credential = Credential.objects.select_related("partner").get(pk=credential_id)
    fence = lane_claim(credential_id)
    if fence is None:
        return None
    # Since the cycle picked, staff may have paused the key, or the provider refused it.
    report = LaneReport(stopped=blocked_reason(credential))
    deadline = time.monotonic() + seconds
    try:
        with _transport(credential) as transport:
            lane = _Lane(
                credential=credential,
                fence=fence,
                transport=transport,
                report=report,
                deadline=deadline,
                trigger=trigger,
                policy=policy,
                pace=_pace_now(credential, policy=policy),
            )
            while True:
                lane.walk()
                if lane_release(credential_id, fence=fence, leave_work=bool(report.stopped)):
                    return report
    except Fenced:
        # Another lane has the key; what we had not written by then is not written.
        logger.warning("Lane was taken over", extra={"action": "lane_fenced", "credential": credential_id})
        report.stopped = "another lane took over"
        return report


@contextmanager
def _transport(credential: Credential) -> Iterator[providers.Transport]:
    """One connection for the whole lane: keep-alive saves a handshake a call."""
    transport = providers.make_transport(credential)
    try:
        yield transport
    finally:
        transport.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A race that waits for its visit, as its most urgent picked event has it. `purpose`: of the visit's first call."""

    race_id: int
    tier: Tier
    due_at: datetime
    purpose: Purpose


@dataclass(slots=True, kw_only=True)
class _Lane:
    """A lane at work. `visiting`: the races whose visits have begun; more than one while HIGH overtakes a long one."""

    credential: Credential
    fence: int
    transport: providers.Transport
    report: LaneReport
    deadline: float
    trigger: Trigger | None
    policy: Policy
    pace: Pace
    visiting: list[int] = field(default_factory=list)

    def walk(self) -> None:
        while not self.report.stopped and (work := self._next_work()):
            self.report.stopped = self._stop_reason(work)
            if not self.report.stopped:
                self._visit_race(work)

    def overtake(self, slow: _Work, *, kept: int) -> None:
        """Between two calls of a less urgent visit: what is HIGH must not wait until a long list is fetched.

        Not while that visit has its turn, or it might never end. `kept`: calls that stay free for the visit. Where
        there are too few, HIGH comes when there are more.
        """
        while not self.report.stopped and not self._has_turn(slow):
            work = self._next_work()
            if work is None or work.tier is not Tier.HIGH or self._stop_reason(work, kept=kept):
                return
            self._visit_race(work)

    def _has_turn(self, work: _Work) -> bool:
        return has_turn(self.credential.pk, due_at=work.due_at, now=database_now(), policy=self.policy)

    def _next_work(self) -> _Work | None:
        """The order is the one of this moment: HIGH first, or what has waited longest."""
        key_id, now = self.credential.pk, database_now()

        def order(row: tuple[int, int, Tier, datetime]) -> tuple[tuple[int, datetime], int]:
            _race_id, event_id, tier, due_at = row
            return place_in_line(key_id, tier, due_at=due_at, now=now, policy=self.policy), event_id

        picked = _picked(key_id).exclude(event__race_id__in=self.visiting)
        found = picked.values_list("event__race_id", "pk", "tier", "due_at")
        rows = [(race_id, pk, Tier(tier or Tier.LOW), due_at or now) for race_id, pk, tier, due_at in found]
        if not rows:
            return None
        race_id, _event_id, tier, due_at = min(rows, key=order)
        purpose = first_call(tier, due_at=due_at, now=now, policy=self.policy)
        return _Work(race_id=race_id, tier=tier, due_at=due_at, purpose=purpose)

    def _visit_race(self, work: _Work) -> None:
        race_id = work.race_id
        self.visiting.append(race_id)
        try:
            self._open_and_run(work)
        except Fenced:
            raise
        except Exception:
            # Not even its outcome could be written. It stays due; the other races of the key go on.
            logger.exception("Visit failed", extra={"action": "visit_failed", "race_pk": race_id})
            _unpick(_picked(self.credential.pk).filter(event__race_id=race_id))
        finally:
            self.visiting.remove(race_id)

    def _stop_reason(self, work: _Work, *, kept: int = 0) -> str:
        if stopping.requested():
            return "this process is about to stop"
        if time.monotonic() > self.deadline and not self.visiting:
            return "its time was over"
        return _budget_reason(self.credential, work, kept=kept, policy=self.policy)

    def _open_and_run(self, work: _Work) -> None:
        visit = visit_open(
            credential_id=self.credential.pk,
            fence=self.fence,
            race_id=work.race_id,
            pace=self.pace,
            trigger=self.trigger,
            policy=self.policy,
        )
        if visit is None:
            # Its events were taken off the schedule after a cycle had picked them.
            _unpick(_picked(self.credential.pk).filter(event__race_id=work.race_id, due_at=None))
            return
        gate_of_visit = PatientGate(self, visit, work)
        self._run(visit, RunSignUpClient(transport=self.transport, gate=gate_of_visit.call))

    def _run(self, visit: Visit, client: RunSignUpClient) -> None:
        """Run one visit to exactly one outcome per event. One bad race never stops the others."""
        try:
            visit_run(visit, client, policy=self.policy)
        except Fenced:
            raise
        except Exception as error:
            if _may_be_one_event(visit, error):
                self._each_alone(visit, error, client)
                return
            if not isinstance(error, ProviderError | NoBudget):
                logger.exception("Visit failed", extra={"action": "visit_failed", "race": visit.race.provider_race_id})
            self.report.stopped = _key_stops(error, client, self.credential)
            visit_outcomes.close_bad(visit, error, calls=client.calls - visit.calls_before, policy=self.policy)
        self.report.visits += 1
        self.report.calls += client.calls - visit.calls_before
        self.report.outcomes += [item.run.outcome for item in visit.events]

    def _each_alone(self, visit: Visit, error: Exception, client: RunSignUpClient) -> None:
        """One event of the list is not there for us: ask for each alone, so that the others still sync."""
        # The call of the list counts with the first of them.
        calls_before = visit.calls_before
        for part in visit.split():
            part.calls_before = calls_before
            if self.report.stopped:
                stopped = NoBudget(self.report.stopped, wait=0.0)
                visit_outcomes.close_bad(part, stopped, calls=0, policy=self.policy)
            else:
                self._run(part, client)
            calls_before = client.calls
        is_race = isinstance(error, Gone) and error.code != visit_outcomes.EVENT_NOT_FOUND
        if is_race and all(item.run.outcome == Outcome.GONE for item in visit.events):
            visit_outcomes.race_gone(visit, policy=self.policy)


def _pace_now(credential: Credential, *, policy: Policy) -> Pace:
    """For the whole lane, which lasts less than a minute: the pace follows the hours, not the seconds."""
    state = gate.budget_states([credential])[credential.pk]
    return key_pace(credential.pk, rate=state.rate, now=state.at, policy=policy)


class PatientGate:
    """The gate as one visit sees it: impatient before its first call, patient once it has begun.

    While it waits, and between its calls, it renews the visit's leases and lets HIGH overtake a less urgent visit.
    """

    def __init__(self, lane: _Lane, visit: Visit, work: _Work) -> None:
        self.lane = lane
        self.visit = visit
        self.work = work
        self.calls = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        with ExitStack() as stack:
            self._enter(stack)
            self.calls += 1
            yield

    def _enter(self, stack: ExitStack) -> None:
        since = time.monotonic()
        until = since + (LATER_CALL_PATIENCE if self.calls else FIRST_CALL_PATIENCE)
        while True:
            purpose = self._purpose(waited=timedelta(seconds=time.monotonic() - since))
            if self.calls and self.work.tier is not Tier.HIGH:
                self.lane.overtake(self.work, kept=kept_from_overtaking(self.work.tier, purpose))
            try:
                reserves = self.lane.policy.reserves
                stack.enter_context(gate.call(self.lane.credential.pk, purpose=purpose, reserves=reserves))
                return
            except NoBudget as refusal:
                if refusal.wait > until - time.monotonic() or stopping.requested():
                    raise
                time.sleep(min(refusal.wait, LOOK_EVERY))
                with transaction.atomic():
                    visit_hold(self.visit)

    def _purpose(self, *, waited: timedelta) -> Purpose:
        if not self.calls:
            return self.work.purpose
        return later_call(self.work.tier, number=self.calls + 1, waited=waited)


def _picked(credential_id: int) -> QuerySet[EventSync]:
    return EventSync.objects.filter(credential_id=credential_id, picked_at__isnull=False)


def _unpick(rows: QuerySet[EventSync]) -> None:
    with transaction.atomic():
        events_unpick(rows)


def _budget_reason(credential: Credential, work: _Work, *, kept: int, policy: Policy) -> str:
    """Why no visit like this may begin now; asked first, so that a visit without budget leaves no run behind."""
    state = gate.budget_states([credential])[credential.pk]
    if state.paused_until:
        return f"the key is paused until {state.paused_until:%H:%M:%S} UTC"
    if state.free <= kept + reserve(work.purpose, rate=state.rate, reserves=policy.reserves):
        return f"the key has {state.free} calls free, too few for {work.tier.value}"
    return ""


def _key_stops(error: Exception, client: RunSignUpClient, credential: Credential) -> str:
    """Why the key can make no further visit now, "" when it can."""
    match error:
        case Throttled() | NoBudget():
            return str(error)
        case Refused(scope="key"):
            return error.text if refusal_confirmed(client, credential, error, now=database_now()) else ""
    return ""


def _may_be_one_event(visit: Visit, error: Exception) -> bool:
    """Whether the answer may be about one event of the list only. Not once all of them were refused alone before."""
    if len(visit.events) == 1:
        return False
    if isinstance(error, Refused) and error.scope == "race":
        return not all(item.row.failures and item.row.hold_reason for item in visit.events)
    return isinstance(error, Gone)
