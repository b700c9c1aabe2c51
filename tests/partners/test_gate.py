"""The gate on PostgreSQL: debit before the call, two at once, throttling, several callers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections, transaction

from partners import gate
from partners.budget import Bucket
from partners.gate import NoBudget, database_now
from partners.models import ApiUsage, CallBudget
from partners.runsignup.errors import Throttled, Transient
from tests.factories import CredentialFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def credential():
    return CredentialFactory(hourly_limit=1000)


def state(credential) -> CallBudget:
    return CallBudget.objects.get(credential=credential)


def spend_at_once(credential, purpose: str) -> int:
    """Calls until the gate closes."""
    for made in range(40):
        try:
            with gate.call(credential.pk, purpose=purpose):
                pass
        except NoBudget:
            return made
    raise AssertionError("the gate never closed")


def a_call_is_refused(credential, why: str) -> None:
    with pytest.raises(NoBudget, match=why), gate.call(credential.pk, purpose="HIGH"):
        pass


def in_threads(work, count: int) -> list:
    """The results of `count` callers that begin together, each with a database connection of its own."""
    start = threading.Barrier(count)

    def caller(number: int):
        start.wait(timeout=10)
        try:
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(caller, range(count)))


def test_the_debit_stands_although_the_call_fails(credential):
    with pytest.raises(Transient), gate.call(credential.pk, purpose="HIGH"):
        raise Transient("RunSignUp is unavailable.")
    assert ApiUsage.objects.get(credential=credential).calls == 1
    assert gate.budget_states([credential])[credential.pk].free == 19
    assert state(credential).calls_in_flight == []


def test_a_call_cannot_be_made_inside_a_transaction(credential):
    with (
        pytest.raises(RuntimeError, match="durable"),
        transaction.atomic(),
        gate.call(credential.pk, purpose="HIGH"),
    ):
        pass
    assert not ApiUsage.objects.exists()


@pytest.mark.parametrize(("purpose", "calls"), [("HIGH", 20), ("MEDIUM", 17), ("LOW", 13), ("background", 9)])
def test_the_less_urgent_leave_calls_for_the_more_urgent(credential, purpose, calls):
    # A call becomes free every 3.7 s: a slow machine may see one more.
    assert spend_at_once(credential, purpose) in {calls, calls + 1}


def test_who_is_refused_is_told_how_long_to_wait(credential):
    spend_at_once(credential, "HIGH")
    with pytest.raises(NoBudget) as refusal, gate.call(credential.pk, purpose="background"):
        pass
    assert 35 < refusal.value.wait <= 12 * Bucket.of(1000).interval
    assert "1000 calls an hour are in use" in refusal.value.reason


def test_a_third_call_at_once_is_refused(credential):
    with gate.call(credential.pk, purpose="HIGH"), gate.call(credential.pk, purpose="HIGH"):
        a_call_is_refused(credential, "2 calls of this key are running")
    with gate.call(credential.pk, purpose="HIGH"):
        assert len(state(credential).calls_in_flight) == 1


def test_trap_34_of_six_callers_at_once_two_call_and_four_are_refused(credential):
    refused, lock, all_tried = [], threading.Lock(), threading.Event()

    def caller(number: int) -> bool:
        try:
            with gate.call(credential.pk, purpose="HIGH"):
                # Both stay until the others have been turned away: a third one inside would wait in vain.
                return all_tried.wait(timeout=10)
        except NoBudget:
            with lock:
                refused.append(number)
                if len(refused) == 4:
                    all_tried.set()
            return False

    assert in_threads(caller, 6).count(True) == 2
    assert ApiUsage.objects.get(credential=credential).calls == 2


def test_concurrent_callers_never_spend_more_than_there_is(credential):
    def caller(_number: int) -> int:
        made = 0
        for _ in range(12):
            try:
                with gate.call(credential.pk, purpose="HIGH", patience=0.0):
                    made += 1
            except NoBudget:
                pass
        return made

    spent = sum(in_threads(caller, 4))
    assert sum(ApiUsage.objects.values_list("calls", flat=True)) == spent
    # The burst, and what became free while the threads ran.
    assert spent <= 24


def test_the_place_of_a_killed_caller_expires(credential):
    now = database_now()
    dead = [now + timedelta(seconds=40), now + timedelta(seconds=40)]
    CallBudget.objects.create(credential=credential, calls_in_flight=dead)
    with pytest.raises(NoBudget), gate.call(credential.pk, purpose="HIGH"):
        pass
    past = [now - timedelta(seconds=1), now - timedelta(seconds=1)]
    CallBudget.objects.filter(credential=credential).update(calls_in_flight=past)
    with gate.call(credential.pk, purpose="HIGH"):
        assert len(state(credential).calls_in_flight) == 1


def test_a_call_gives_back_its_own_place_and_no_other(credential):
    with gate.call(credential.pk, purpose="HIGH"):
        with gate.call(credential.pk, purpose="HIGH"):
            pass
        assert len(state(credential).calls_in_flight) == 1


def throttle(credential, retry_after: float | None = None) -> None:
    with pytest.raises(Throttled), gate.call(credential.pk, purpose="HIGH"):
        raise Throttled("RunSignUp asked this key to slow down.", retry_after=retry_after)


def test_throttling_slows_the_key_down_and_pauses_it(credential):
    throttle(credential, retry_after=300)
    row = state(credential)
    assert row.rate_per_hour == 700
    assert timedelta(seconds=295) < row.paused_until - database_now() <= timedelta(seconds=300)
    assert ApiUsage.objects.get(credential=credential).throttled == 1
    with pytest.raises(NoBudget, match="asked this key to pause until"), gate.call(credential.pk, purpose="HIGH"):
        pass
    shown = gate.budget_states([credential])[credential.pk]
    assert (shown.free, shown.rate, shown.paused_until) == (0, 700, row.paused_until)


def test_a_second_throttled_call_inside_the_pause_does_not_slow_the_key_down_again(credential):
    with pytest.raises(Throttled), gate.call(credential.pk, purpose="HIGH"):
        throttle_twice(credential, retry_after=600)
    row = state(credential)
    assert row.rate_per_hour == 700
    assert row.paused_until - database_now() > timedelta(seconds=590)


def throttle_twice(credential, *, retry_after: float) -> None:
    throttle(credential)
    raise Throttled("RunSignUp asked this key to slow down.", retry_after=retry_after)


def ago(credential, minutes: float) -> None:
    """Let the last throttling lie `minutes` back, and its pause be over since."""
    then = database_now() - timedelta(minutes=minutes)
    CallBudget.objects.filter(credential=credential).update(rate_changed_at=then, paused_until=then)


def test_a_slowed_key_recovers_step_by_step_and_its_traces_vanish(credential):
    throttle(credential)
    ago(credential, 10.5)
    with gate.call(credential.pk, purpose="HIGH"):
        pass
    assert state(credential).rate_per_hour == 750
    ago(credential, 120)
    with gate.call(credential.pk, purpose="HIGH"):
        pass
    row = state(credential)
    assert (row.rate_per_hour, row.rate_changed_at, row.paused_until) == (None, None, None)


def test_the_pause_itself_is_no_good_conduct(credential):
    throttle(credential)
    then = database_now() - timedelta(hours=1)
    CallBudget.objects.filter(credential=credential).update(
        rate_changed_at=then, paused_until=database_now() - timedelta(seconds=1)
    )
    with gate.call(credential.pk, purpose="HIGH"):
        pass
    assert state(credential).rate_per_hour == 700


def test_the_states_of_many_keys_take_two_queries_and_the_clock(django_assert_num_queries):
    credentials = [CredentialFactory() for _ in range(10)]
    with django_assert_num_queries(2):
        states = gate.budget_states(credentials)
    assert {states[credential.pk].free for credential in credentials} == {20}
