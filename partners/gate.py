"""The gate: the only way to a call. It debits the key's budget in PostgreSQL before the call and never refunds it.

Everything that talks with a provider passes here: visits, sync-now, discovery, backfill, "test key". The clock is the
database's, so that several machines agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import F, Sum

from partners import budget
from partners.budget import RESERVES, Purpose, Reserves
from partners.call_places import LOOK_AGAIN, PLACE_LASTS, HeldPlace, no_place_reason, place_claim, place_release
from partners.models import ApiUsage, CallBudget, Credential
from partners.runsignup.errors import Throttled
from partners.used_elsewhere import elsewhere_text

T = TypeVar("T")

# The provider's own rule (contract §5.3).
KEY_CALLS_AT_ONCE = 2
HOUR = timedelta(hours=1)


class NoBudget(Exception):
    """The call may not be made now. `wait` seconds until it may; `reason` is for people."""

    def __init__(self, reason: str, *, wait: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """One key's budget at `at`: what the planner needs to know. `paused_until` is None when it may call;
    `used_elsewhere`: the sentence when another program seems to use the key, else ""."""

    credential_id: int
    limit: int
    rate: int
    free: int
    paused_until: datetime | None
    used_elsewhere: str
    at: datetime


def database_now() -> datetime:
    """The database's clock: leases, fences and budgets of several machines are compared by it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


@contextmanager
def call(
    credential_id: int, *, purpose: Purpose, patience: float = 0.0, reserves: Reserves = RESERVES
) -> Iterator[None]:
    """Spend one call and hold one of the key's two places, and one of the installation's, while the body makes it.

    Waits up to `patience` seconds for it; raises NoBudget before the body when that is not enough. A `Throttled` that
    leaves the body slows the key down. Must not be used inside a transaction: the debit has to stand whatever happens
    to the caller's work.
    """
    place = patiently(lambda: _debit(credential_id, purpose=purpose, reserves=reserves), patience=patience)
    try:
        yield
    except Throttled as error:
        _slow_down(credential_id, error)
        raise
    finally:
        _give_back_place(credential_id, place)


def patiently(debit: Callable[[], T], *, patience: float) -> T:
    """What `debit` returns, tried again for up to `patience` seconds when it raises NoBudget."""
    while True:
        try:
            return debit()
        except NoBudget as refusal:
            if refusal.wait > patience:
                raise
            patience -= refusal.wait
            time.sleep(refusal.wait)


def _debit(credential_id: int, *, purpose: Purpose, reserves: Reserves) -> HeldPlace:
    """The place that the call holds. Raises NoBudget; what was learned of the budget stays all the same."""
    # durable: a call inside a transaction would hold locks while the network is slow, and its debit could be undone.
    with transaction.atomic(durable=True):
        row = _locked(credential_id)
        now = database_now()
        place = _place_or_refusal(row, purpose=purpose, reserves=reserves, now=now)
        row.save(
            update_fields=[
                "theoretical_arrival_at",
                "calls_in_flight",
                "rate_per_hour",
                "rate_changed_at",
                "paused_until",
            ]
        )
        if isinstance(place, HeldPlace):
            _count(credential_id, now=now, calls=1)
    if isinstance(place, NoBudget):
        raise place
    return place


def _place_or_refusal(row: CallBudget, *, purpose: Purpose, reserves: Reserves, now: datetime) -> HeldPlace | NoBudget:
    limit = row.credential.hourly_limit
    rate = _recover(row, limit=limit, now=now)
    if paused := _paused_until(row, now):
        wait = (paused - now).total_seconds()
        return NoBudget(f"the provider asked this key to pause until {paused:%H:%M:%S} UTC", wait=wait)
    row.calls_in_flight = [until for until in row.calls_in_flight if now < until <= now + PLACE_LASTS]
    # One place is always the lanes': two loads of history at once must not keep the races of today waiting.
    most = KEY_CALLS_AT_ONCE - 1 if purpose == "background" else KEY_CALLS_AT_ONCE
    if len(row.calls_in_flight) >= most:
        return NoBudget(f"{len(row.calls_in_flight)} calls of this key are running", wait=1.0)
    arrival = _arrival(row, now, rate=rate)
    spent, wait = budget.spend(rate=rate, arrival=arrival, now=now.timestamp(), purpose=purpose, reserves=reserves)
    # Also when it is refused: what a clock that was set back left there must not move on with each look.
    row.theoretical_arrival_at = _moment(arrival, now)
    if wait:
        return NoBudget(f"the key's {limit} calls an hour are in use, {purpose} waits", wait=wait)
    # Last: what is claimed is used.
    place = place_claim(purpose=purpose, now=now)
    if place is None:
        return NoBudget(no_place_reason(purpose=purpose), wait=LOOK_AGAIN)
    row.theoretical_arrival_at = _moment(spent, now)
    row.calls_in_flight = [*row.calls_in_flight, place.until]
    return place


def _locked(credential_id: int) -> CallBudget:
    row, _made = CallBudget.objects.get_or_create(credential_id=credential_id)
    return CallBudget.objects.select_for_update(of=("self",)).select_related("credential").get(pk=row.pk)


def _arrival(row: CallBudget, now: datetime, *, rate: int) -> float:
    arrival = (row.theoretical_arrival_at or now).timestamp()
    return budget.believable_arrival(rate=rate, arrival=arrival, now=now.timestamp())


def _moment(arrival: float, now: datetime) -> datetime:
    return now + timedelta(seconds=arrival - now.timestamp())


def _paused_until(row: CallBudget, now: datetime) -> datetime | None:
    """None when the key may call. A pause longer than any that we make is left from a clock that was set back."""
    until = row.paused_until
    if until is None or until <= now or until > now + timedelta(seconds=budget.LONGEST_PAUSE):
        return None
    return until


def _recover(row: CallBudget, *, limit: int, now: datetime) -> int:
    """The current rate, raised step by step since the last throttling; null again once it is back at the limit."""
    if row.rate_per_hour is None or row.rate_changed_at is None:
        return limit
    # The pause after a throttling does not count as good conduct.
    calm_since = max(row.rate_changed_at, row.paused_until or row.rate_changed_at)
    since = max(0.0, (now - calm_since).total_seconds())
    rate = budget.raised(rate=row.rate_per_hour, limit=limit, since_change=since)
    if rate >= limit:
        row.rate_per_hour = row.rate_changed_at = row.paused_until = None
    elif rate != row.rate_per_hour:
        row.rate_per_hour, row.rate_changed_at = rate, now
    return min(rate, limit)


def _count(credential_id: int, *, now: datetime, calls: int = 0, throttled: int = 0) -> None:
    minute = now.replace(second=0, microsecond=0)
    usage, made = ApiUsage.objects.get_or_create(
        credential_id=credential_id, minute=minute, defaults={"calls": calls, "throttled": throttled}
    )
    if not made:
        ApiUsage.objects.filter(pk=usage.pk).update(calls=F("calls") + calls, throttled=F("throttled") + throttled)


def _slow_down(credential_id: int, error: Throttled) -> None:
    with transaction.atomic():
        row = _locked(credential_id)
        now = database_now()
        limit = row.credential.hourly_limit
        rate = min(row.rate_per_hour or limit, limit)
        # Two calls may be throttled for one reason: the second one inside the pause does not count again.
        if not (row.paused_until and row.paused_until > now):
            row.rate_per_hour, row.rate_changed_at = budget.slowed(rate=rate), now
        until = now + timedelta(seconds=budget.pause(retry_after=error.retry_after))
        row.paused_until = max(until, row.paused_until or until)
        if error.of_key:
            _look_for_others(row, limit=limit, now=now)
        row.save(
            update_fields=[
                "rate_per_hour",
                "rate_changed_at",
                "paused_until",
                "used_elsewhere_at",
                "used_elsewhere_calls",
            ]
        )
        _count(credential_id, now=now, throttled=1)


def _look_for_others(row: CallBudget, *, limit: int, now: datetime) -> None:
    """Remember it when our own calls of the last hour do not explain that the key was throttled."""
    minutes = ApiUsage.objects.filter(credential_id=row.credential_id, minute__gt=now - HOUR, minute__lte=now)
    calls = minutes.aggregate(made=Sum("calls"))["made"] or 0
    if budget.used_elsewhere(limit=limit, calls=calls):
        row.used_elsewhere_at, row.used_elsewhere_calls = now, calls


def _give_back_place(credential_id: int, place: HeldPlace) -> None:
    with transaction.atomic():
        row = _locked(credential_id)
        row.calls_in_flight = [until for until in row.calls_in_flight if until != place.until]
        row.save(update_fields=["calls_in_flight"])
        place_release(place)


def budget_states(credentials: list[Credential]) -> dict[int, BudgetState]:
    """The budgets of several keys in two queries. Reads only: recovery is written by the next call."""
    rows = {row.credential_id: row for row in CallBudget.objects.filter(credential__in=credentials)}
    now = database_now()
    return {credential.pk: _state(credential, rows.get(credential.pk), now=now) for credential in credentials}


def loaded_budget_states(credentials: Iterable[Credential], *, now: datetime) -> dict[int, BudgetState]:
    """The same without a query, of keys that were read just now together with their `budget`; `now`: the database's."""
    return {key.pk: _state(key, copy(getattr(key, "budget", None)), now=now) for key in credentials}


def _state(credential: Credential, row: CallBudget | None, *, now: datetime) -> BudgetState:
    row = row or CallBudget(credential=credential)
    rate = _recover(row, limit=credential.hourly_limit, now=now)
    paused = _paused_until(row, now)
    free = 0 if paused else budget.free_calls(rate=rate, arrival=_arrival(row, now, rate=rate), now=now.timestamp())
    return BudgetState(
        credential_id=credential.pk,
        limit=credential.hourly_limit,
        rate=rate,
        free=free,
        paused_until=paused,
        used_elsewhere=elsewhere_text(row, limit=credential.hourly_limit, now=now),
        at=now,
    )
