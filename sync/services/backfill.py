"""Backfill: load all participants of all editions, race by race, and continue where it stopped.

Each key has a thread of its own, because each key has a budget of its own; a key that has no calls free for the
background waits, so that the races of today are not affected.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import connection, connections, transaction
from django.db.models import F, Min, Q, Sum

from partners import gate, providers
from partners.gate import NoBudget, database_now
from partners.models import Credential, TimingPartner
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.errors import Gone, ProviderError, Refused, Throttled, Transient
from races.models import Event, Race
from sync.core.policy import DEFAULT_POLICY, Policy
from sync.models import Backfill, BackfillStep, Outcome, SyncRun
from sync.services.backfill_step import StepState, runs_close, step_open, step_run
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import reschedule
from sync.services.key_refusals import refusal_confirmed
from sync.services.leases import LEASE, Fenced

logger = logging.getLogger(__name__)

KEYS_AT_ONCE = 16
TRIES = 4
# Between two looks whether the process shall stop, while a key waits for its budget.
LOOK_EVERY = 2.0


class BackfillBusy(Exception):
    """The same backfill runs elsewhere; the text says until when it is claimed."""


class Stopped(Exception):
    """Somebody asked us to stop; what is stored stays."""


class KeyStopped(NoBudget):
    """The key may make no calls any more: paused, refused, or its partner left. `reason` says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What to load: one race, one partner or everything; `since` leaves out events that started before."""

    partner: TimingPartner | None = None
    race: Race | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a backfill is. `note` is the latest thing worth telling, "" most of the time."""

    races_done: int
    races: int
    rows: int
    calls: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How it ended. `problems`: a sentence per race that could not be loaded, or not wholly."""

    races: int
    done: int
    rows: int
    added: int
    changed: int
    rejected: int
    calls: int
    problems: tuple[str, ...]


def races_of(scope: Scope) -> list[Race]:
    """The races to load, those with the next start first."""
    known = Race.objects.select_related("credential__partner").defer("raw")
    races = known.filter(gone_at=None, partner__is_active=True)
    if scope.race is not None:
        races = races.filter(pk=scope.race.pk)
    elif scope.partner is not None:
        races = races.filter(partner=scope.partner)
    found = list(races.order_by("pk"))
    never = datetime.max.replace(tzinfo=UTC)
    coming = Event.objects.filter(race__in=found, starts_at__gte=database_now()).values("race_id")
    next_start = dict(coming.annotate(next_start=Min("starts_at")).values_list("race_id", "next_start"))
    return sorted(found, key=lambda race: (next_start.get(race.pk, never), race.pk))


def waiting_races(scope: Scope) -> list[Race]:
    """What a run would still load, without calling anybody: for a dry run."""
    unfinished = _unfinished(scope)
    done = (
        set(unfinished.steps.filter(status=BackfillStep.Status.DONE).values_list("race_id", flat=True))
        if unfinished
        else set()
    )
    return [race for race in races_of(scope) if race.pk not in done]


def _unfinished(scope: Scope) -> Backfill | None:
    same = Backfill.objects.filter(partner=scope.partner, race=scope.race, since=scope.since)
    return same.exclude(status=Backfill.Status.DONE).order_by("-pk").first()


def backfill_claim(scope: Scope, *, restart: bool, now: datetime) -> Backfill:
    """The unfinished backfill of this scope, or a new one; ours until its lease ends. Raises BackfillBusy."""
    with transaction.atomic():
        _claim_in_turn()
        backfill = _unfinished(scope) or Backfill.objects.create(
            partner=scope.partner, race=scope.race, since=scope.since, started_at=now
        )
        claimed = (
            Backfill.objects.filter(pk=backfill.pk)
            .filter(Q(lease_until=None) | Q(lease_until__lt=now))
            .update(fence=F("fence") + 1, lease_until=now + LEASE, status=Backfill.Status.RUNNING)
        )
        if not claimed:
            raise BackfillBusy(
                f"This backfill is running already (claimed until {backfill.lease_until:%H:%M:%S} UTC). "
                "Wait for it, or try again after that time if it was killed."
            )
        if restart:
            backfill.steps.all().delete()
        backfill.steps.filter(status=BackfillStep.Status.FAILED).update(status=BackfillStep.Status.WAITING)
        BackfillStep.objects.bulk_create(
            [BackfillStep(backfill=backfill, race=race) for race in races_of(scope)], ignore_conflicts=True
        )
    backfill.refresh_from_db()
    return backfill


def _claim_in_turn() -> None:
    """Two that begin together would each find none and make one of their own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('sync.backfill claims', 0))")


class BackfillRunner:
    """Works off the steps of a claimed backfill. `stop` may be set from any thread, for example on Ctrl-C."""

    def __init__(
        self, backfill: Backfill, *, tell: Callable[[Progress], None], policy: Policy = DEFAULT_POLICY
    ) -> None:
        self.backfill = backfill
        self.policy = policy
        self.tell = tell
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._open_runs: set[int] = set()
        self._done = 0
        self._rows = 0
        self._calls = 0
        self._total = 0

    def run(self) -> Report:
        """Load what is left. Raises Fenced when another process took the backfill over."""
        steps = list(self.backfill.steps.select_related("race__credential__partner").defer("race__raw").order_by("pk"))
        order = {race.pk: position for position, race in enumerate(races_of(self._scope()))}
        waiting = sorted(
            (step for step in steps if step.status == BackfillStep.Status.WAITING),
            key=lambda step: order.get(step.race_id, len(order)),
        )
        self._total, self._done = len(steps), len(steps) - len(waiting)
        by_key: dict[int, list[BackfillStep]] = {}
        for step in waiting:
            by_key.setdefault(step.race.credential_id, []).append(step)
        self._advance("")
        try:
            self._walk_all(list(by_key.values()))
        finally:
            self._give_back()
        return self._report()

    def _scope(self) -> Scope:
        return Scope(partner=self.backfill.partner, race=self.backfill.race, since=self.backfill.since)

    def _walk_all(self, keys: list[list[BackfillStep]]) -> None:
        with ThreadPoolExecutor(max_workers=KEYS_AT_ONCE) as pool:
            running = [pool.submit(self._walk_key, steps) for steps in keys]
            try:
                for future in running:
                    future.result()
            except BaseException:
                # Ctrl-C included: the threads end at their next page, and the pool waits for them.
                self.stop.set()
                raise

    def _walk_key(self, steps: list[BackfillStep]) -> None:
        credential = steps[0].race.credential
        try:
            transport = providers.make_transport(credential)
            client = RunSignUpClient(transport=transport, gate=lambda: self._gate(credential.pk))
            try:
                self._walk(steps, credential, client)
            finally:
                transport.close()
        except Stopped:
            return
        finally:
            connections.close_all()

    def _walk(self, steps: list[BackfillStep], credential: Credential, client: RunSignUpClient) -> None:
        stops = ""
        for step in steps:
            if not stops:
                stops = self._step(step, credential, client)
            if stops and step.status == BackfillStep.Status.WAITING:
                self._fail(step, stops)
            self._advance(step.error_text, done=1)

    def _step(self, step: BackfillStep, credential: Credential, client: RunSignUpClient) -> str:
        """Run one race to its end; a reason when the key can't go on."""
        for attempt in range(1, TRIES + 1):
            state: StepState | None = None
            try:
                state = step_open(step, client=client, since=self.backfill.since, hold=self._hold)
                self._open_runs |= set(state.run_ids.values())
                step_run(state, client=client, hold=self._hold)
                return ""
            except KeyStopped as stopped:
                self._close(state, Outcome.LOST, f"{stopped.reason}. What was loaded stays.")
                return f"Not loaded: {stopped.reason}."
            except (Stopped, Fenced):
                self._close(state, Outcome.LOST, "Interrupted. The backfill continues at the page where it stopped.")
                raise
            except Throttled as error:
                # Not a failure: the gate keeps the key quiet for as long as the provider asked.
                self._close(state, Outcome.THROTTLED, error.text, error)
                self._advance(error.text)
            except Transient as error:
                self._close(state, Outcome.FAILED, error.text, error)
                if attempt == TRIES or self.stop.wait(2.0**attempt):
                    self._fail(step, error.text)
                    return ""
            except Exception as error:
                return self._failed(step, state, error, credential, client)
            finally:
                if state is not None:
                    self._open_runs -= set(state.run_ids.values())
        self._fail(step, "RunSignUp throttled this key again and again. Run the same command later.")
        return ""

    def _failed(
        self,
        step: BackfillStep,
        state: StepState | None,
        error: Exception,
        credential: Credential,
        client: RunSignUpClient,
    ) -> str:
        text = (
            error.text
            if isinstance(error, ProviderError)
            else f"Project88 failed here ({type(error).__name__}); see the log."
        )
        outcome = {Refused: Outcome.REFUSED, Gone: Outcome.GONE}.get(type(error), Outcome.FAILED)
        self._close(state, outcome, text, error)
        self._fail(step, text)
        now = database_now()
        if isinstance(error, Refused) and error.scope == "key":
            return text if refusal_confirmed(client, credential, error, now=now) else ""
        if isinstance(error, Gone) and error.code != 301:
            step.race.gone_at = now
            step.race.save(update_fields=["gone_at"])
            reschedule(events=step.race.events.select_related("race"), now=now)
        elif not isinstance(error, ProviderError):
            logger.exception(
                "Backfill step failed", extra={"action": "backfill_failed", "race": step.race.provider_race_id}
            )
        return ""

    def _close(self, state: StepState | None, outcome: Outcome, text: str, error: Exception | None = None) -> None:
        if state is not None:
            runs_close(
                state, now=database_now(), outcome=outcome, text=text, error=type(error).__name__ if error else "Lost"
            )

    def _fail(self, step: BackfillStep, text: str) -> None:
        step.status, step.error_text = BackfillStep.Status.FAILED, text
        step.save(update_fields=["status", "error_text"])

    @contextmanager
    def _gate(self, credential_id: int) -> Iterator[None]:
        """The gate, for as long as it takes: what the background may not have now it waits for."""
        with ExitStack() as stack:
            while True:
                if self.stop.is_set():
                    raise Stopped
                _refuse_stopped_key(credential_id)
                try:
                    stack.enter_context(gate.call(credential_id, purpose="background", reserves=self.policy.reserves))
                    break
                except NoBudget as refusal:
                    self._hold_all()
                    self.stop.wait(min(refusal.wait, LOOK_EVERY))
            with self._lock:
                self._calls += 1
            yield

    def _hold(self, runs: Iterable[int]) -> None:
        until = database_now() + LEASE
        ours = Backfill.objects.filter(pk=self.backfill.pk, fence=self.backfill.fence)
        if not ours.update(lease_until=until, calls=self.backfill.calls + self._calls):
            raise Fenced("another process took this backfill over")
        SyncRun.objects.filter(pk__in=list(runs), lease_until__isnull=False).update(lease_until=until)

    def _hold_all(self) -> None:
        """While a thread waits for calls, it renews for all. Not the runs that another thread writes at this moment:
        that one renews them itself, and may wait for a row of ours: both would wait for ever."""
        self._hold([])
        with transaction.atomic():
            runs = SyncRun.objects.filter(pk__in=list(self._open_runs), lease_until__isnull=False)
            free = list(runs.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
            SyncRun.objects.filter(pk__in=free).update(lease_until=database_now() + LEASE)

    def _advance(self, note: str, *, done: int = 0) -> None:
        with self._lock:
            self._done += done
            rows = self.backfill.steps.aggregate(rows=Sum("rows"))["rows"] or 0
            self.tell(Progress(races_done=self._done, races=self._total, rows=rows, calls=self._calls, note=note))

    def _give_back(self) -> None:
        left = self.backfill.steps.exclude(status=BackfillStep.Status.DONE).exists()
        Backfill.objects.filter(pk=self.backfill.pk, fence=self.backfill.fence).update(
            lease_until=None,
            calls=self.backfill.calls + self._calls,
            status=Backfill.Status.INTERRUPTED if left else Backfill.Status.DONE,
            finished_at=None if left else database_now(),
        )

    def _report(self) -> Report:
        steps = list(self.backfill.steps.select_related("race").order_by("pk"))
        done = [step for step in steps if step.status == BackfillStep.Status.DONE]
        return Report(
            races=len(steps),
            done=len(done),
            rows=sum(step.rows for step in steps),
            added=sum(step.added for step in steps),
            changed=sum(step.changed for step in steps),
            rejected=sum(step.rejected for step in steps),
            calls=self._calls,
            problems=tuple(
                f"{step.race.name} ({step.race.provider_race_id}): {step.error_text}"
                for step in steps
                if step.error_text
            ),
        )


def _refuse_stopped_key(credential_id: int) -> None:
    """Raises KeyStopped. Asked before each call: a load of hours must not outlive the key it was given."""
    credential = Credential.objects.select_related("partner").defer("api_secret").filter(pk=credential_id).first()
    reason = blocked_reason(credential) if credential else "the key was deleted"
    if reason:
        raise KeyStopped(reason, wait=0.0)
