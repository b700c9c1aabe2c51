"""At most CALLS_AT_ONCE calls at once of the whole installation, whatever keys and machines they are of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from django.db import connections

from partners import gate
from partners.call_places import PLACE_LASTS
from partners.gate import NoBudget, database_now
from partners.models import ApiUsage, CallBudget, CallPlace, TrialCall
from partners.trial_calls import trial_gate
from tests.factories import CredentialFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def limit(settings):
    def limit(number: int) -> None:
        settings.CALLS_AT_ONCE = number

    return limit


@contextmanager
def calls(number: int, *, purpose: str = "HIGH") -> Iterator[None]:
    """So many calls at once, each of a key of its own."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(gate.call(CredentialFactory().pk, purpose=purpose))
        yield


def refusal_of(purpose: str = "HIGH", **options) -> NoBudget:
    with pytest.raises(NoBudget) as refusal, gate.call(CredentialFactory().pk, purpose=purpose, **options):
        pytest.fail("one call too many")
    return refusal.value


def in_threads(caller: Callable, keys: list) -> list:
    """What callers that begin together return, each with a key and a database connection of its own."""
    start = threading.Barrier(len(keys))

    def run(credential):
        start.wait(timeout=20)
        try:
            return caller(credential)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(keys)) as pool:
        return list(pool.map(run, keys))


def held() -> list[int]:
    rows = CallPlace.objects.filter(held_until__gt=database_now()).order_by("number")
    return list(rows.values_list("number", flat=True))


def test_the_call_that_is_one_too_many_waits_a_moment_and_spends_nothing(limit):
    limit(3)
    with calls(3):
        credential = CredentialFactory()
        with pytest.raises(NoBudget) as refusal, gate.call(credential.pk, purpose="HIGH"):
            pytest.fail("one call too many")
    assert refusal.value.reason == "all 3 calls of this installation are running"
    assert refusal.value.wait == 0.5
    assert not ApiUsage.objects.filter(credential=credential).exists()
    assert CallBudget.objects.get(credential=credential).calls_in_flight == []
    assert gate.budget_states([credential])[credential.pk].free == 20
    with gate.call(credential.pk, purpose="HIGH"):
        assert held() == [1]


def test_of_many_callers_with_keys_of_their_own_never_more_than_so_many_call_at_once(limit):
    """The table is empty: all of them make the places at once, too."""
    limit(4)
    keys = [CredentialFactory() for _ in range(12)]
    inside, most, refused, lock = [0], [0], [0], threading.Lock()
    all_tried = threading.Event()

    def caller(credential) -> bool:
        try:
            with gate.call(credential.pk, purpose="HIGH"):
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                # They stay until the others were turned away, so nobody was turned away for nothing.
                waited = all_tried.wait(timeout=20)
                with lock:
                    inside[0] -= 1
                return waited
        except NoBudget:
            with lock:
                refused[0] += 1
                if refused[0] == 8:
                    all_tried.set()
            return False

    came = in_threads(caller, keys)
    assert came.count(True) == 4
    assert most == [4]
    assert sum(ApiUsage.objects.values_list("calls", flat=True)) == 4
    assert sorted(CallPlace.objects.values_list("number", flat=True)) == [1, 2, 3, 4]
    assert held() == []


def test_callers_that_come_and_go_all_get_their_turn(limit):
    limit(2)
    keys = [CredentialFactory() for _ in range(6)]
    inside, most, lock = [0], [0], threading.Lock()

    def caller(credential) -> int:
        for _ in range(5):
            with gate.call(credential.pk, purpose="HIGH", patience=60):
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= 1
        return 5

    assert in_threads(caller, keys) == [5] * 6
    assert most[0] <= 2
    assert held() == []


def test_the_place_of_a_killed_caller_comes_back(limit):
    limit(2)
    now = database_now()
    CallPlace.objects.bulk_create(CallPlace(number=number, held_until=now + timedelta(seconds=40)) for number in (1, 2))
    refusal_of()
    CallPlace.objects.filter(number=2).update(held_until=now - timedelta(milliseconds=1))
    with calls(1):
        assert held() == [1, 2]
        refusal_of()


def test_a_caller_that_outlived_its_place_does_not_give_away_the_next_ones(limit):
    limit(1)
    with ExitStack() as late:
        late.enter_context(gate.call(CredentialFactory().pk, purpose="HIGH"))
        CallPlace.objects.update(held_until=database_now() - timedelta(seconds=1))
        with calls(1):
            late.close()
            assert held() == [1]
            refusal_of()


def test_a_place_from_a_clock_that_was_set_back_counts_as_free_and_one_taken_just_now_does_not(limit):
    """Row 16. Who read the clock before us but came later holds its place until a little later than we would."""
    limit(1)
    now = database_now()
    CallPlace.objects.create(number=1, held_until=now + PLACE_LASTS + timedelta(seconds=5))
    refusal_of()
    CallPlace.objects.update(held_until=now + timedelta(hours=3))
    with calls(1):
        pass
    assert held() == []


@pytest.mark.parametrize(("most", "background"), [(16, 12), (8, 6), (4, 3), (3, 2), (2, 1), (1, 1)])
def test_background_leaves_a_quarter_of_the_places(limit, most, background):
    limit(most)
    with calls(background, purpose="background"):
        assert refusal_of("background").wait == 0.5
        with calls(most - background):
            refusal_of()


def test_background_is_told_for_whom_the_rest_is_kept(limit):
    limit(4)
    with calls(3):
        assert "3 calls of this installation are running, the rest are kept for" in refusal_of("background").reason
        with calls(1, purpose="LOW"):
            pass


def test_another_setting_holds_for_new_calls(limit):
    limit(4)
    with calls(4):
        limit(2)
        refusal_of()
        limit(6)
        with calls(2):
            assert held() == [1, 2, 3, 4, 5, 6]
    limit(2)
    with calls(2):
        assert refusal_of().reason == "all 2 calls of this installation are running"
    limit(1)
    with calls(1):
        assert refusal_of().reason == "the only call of this installation is running"


def test_a_trial_of_a_key_that_is_not_stored_takes_a_place_and_waits_for_one(limit):
    limit(2)
    with calls(1), trial_gate("trial-key-0001")():
        assert held() == [1, 2]
        refusal_of()
        with pytest.raises(NoBudget, match="all 2 calls of this installation"), trial_gate("trial-key-0002")():
            pytest.fail("one call too many")
        CallPlace.objects.filter(number=1).update(held_until=database_now() + timedelta(milliseconds=200))
        with trial_gate("trial-key-0002", patience=10)():
            pass
    assert TrialCall.objects.filter(ended_at__isnull=False).count() == 2
    assert held() == []


def test_a_place_costs_one_statement_to_take_and_one_to_give_back(limit, django_assert_num_queries):
    credential = CredentialFactory()
    with gate.call(credential.pk, purpose="HIGH"):
        pass
    with django_assert_num_queries(15) as captured, gate.call(credential.pk, purpose="HIGH"):
        pass
    assert sum("partners_callplace" in query["sql"] for query in captured.captured_queries) == 2
