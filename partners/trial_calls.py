"""The gate for keys that are not stored yet: what "test this key" spends before there is a credential to debit.

A trial is counted by a digest of the key, at most `TRIALS_PER_HOUR` calls an hour and two at once. When the key is
stored, `trials_book` debits them from its new call budget, so that no sliding hour exceeds the key's limit: the debit
stands although nothing of a refused key is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from partners.budget import BURST, Bucket, Purpose
from partners.call_places import LOOK_AGAIN, PLACE_LASTS, HeldPlace, no_place_reason, place_claim, place_release
from partners.gate import KEY_CALLS_AT_ONCE, NoBudget, database_now, patiently
from partners.models import ApiUsage, CallBudget, Credential, TrialCall

HOUR = timedelta(hours=1)
# Not more than a fresh key may burst: booked later, they never exceed what its bucket holds.
TRIALS_PER_HOUR = BURST
# A person waits for the answer.
PURPOSE: Purpose = "HIGH"


def key_digest(api_key: str) -> str:
    return salted_hmac("partners.trial_calls", api_key, algorithm="sha256").hexdigest()


def trial_gate(api_key: str, *, patience: float = 0.0) -> Callable[[], AbstractContextManager[None]]:
    """A gate for a client that tries `api_key`. Raises NoBudget when it was tried too often, or when a place does not
    become free within `patience` seconds."""
    digest = key_digest(api_key)

    @contextmanager
    def gate() -> Iterator[None]:
        call, place = patiently(lambda: _debit(digest), patience=patience)
        try:
            yield
        finally:
            with transaction.atomic():
                TrialCall.objects.filter(pk=call.pk).update(ended_at=database_now())
                place_release(place)

    return gate


def _debit(digest: str) -> tuple[TrialCall, HeldPlace]:
    # durable, like the gate of stored keys: the debit has to stand whatever happens to the caller's work.
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 88))", [digest])
        now = database_now()
        TrialCall.objects.filter(at__lt=now - HOUR).delete()
        calls = list(TrialCall.objects.filter(key_digest=digest).order_by("at"))
        if len(calls) >= TRIALS_PER_HOUR:
            wait = (calls[0].at + HOUR - now).total_seconds()
            raise NoBudget(f"this key was tried {len(calls)} times within the hour", wait=wait)
        running = [call for call in calls if call.ended_at is None and call.at + PLACE_LASTS > now]
        if len(running) >= KEY_CALLS_AT_ONCE:
            raise NoBudget("somebody else is testing this key", wait=1.0)
        place = place_claim(purpose=PURPOSE, now=now)
        if place is None:
            raise NoBudget(no_place_reason(purpose=PURPOSE), wait=LOOK_AGAIN)
        return TrialCall.objects.create(key_digest=digest, at=now), place


def trials_book(credential: Credential) -> int:
    """Debit the trial calls of the credential's key from its budget; returns how many. In the caller's transaction."""
    budget, _made = CallBudget.objects.get_or_create(credential=credential)
    budget = CallBudget.objects.select_for_update().get(pk=budget.pk)
    calls = list(TrialCall.objects.filter(key_digest=key_digest(credential.api_key)).order_by("at"))
    if not calls:
        return 0
    interval = Bucket.of(credential.hourly_limit).interval
    arrival = budget.theoretical_arrival_at or calls[0].at
    for call in calls:
        arrival = max(arrival, call.at) + timedelta(seconds=interval)
        _count(credential, at=call.at)
    budget.theoretical_arrival_at = arrival
    budget.save(update_fields=["theoretical_arrival_at"])
    TrialCall.objects.filter(pk__in=[call.pk for call in calls]).delete()
    return len(calls)


def _count(credential: Credential, *, at: datetime) -> None:
    minute = at.replace(second=0, microsecond=0)
    usage, _made = ApiUsage.objects.get_or_create(credential=credential, minute=minute)
    usage.calls += 1
    usage.save(update_fields=["calls"])
