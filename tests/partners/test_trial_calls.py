"""Calls with a key that is not stored: counted by a digest, booked when it is stored."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from partners import gate
from partners.budget import Bucket
from partners.gate import NoBudget, database_now
from partners.models import ApiUsage, CallBudget, TrialCall
from partners.trial_calls import TRIALS_PER_HOUR, key_digest, trial_gate, trials_book
from tests.factories import CredentialFactory

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "trial-key-0001"


def tried(times: int, *, key: str = KEY, minutes_ago: float = 0.0) -> None:
    at = database_now() - timedelta(minutes=minutes_ago)
    TrialCall.objects.bulk_create(TrialCall(key_digest=key_digest(key), at=at, ended_at=at) for _ in range(times))


def book(credential) -> int:
    with transaction.atomic():
        return trials_book(credential)


def a_trial_is_refused(why: str) -> None:
    with pytest.raises(NoBudget, match=why), trial_gate(KEY)():
        pass


def test_what_is_kept_of_a_tried_key_is_a_digest():
    with trial_gate(KEY)():
        pass
    call = TrialCall.objects.get()
    assert KEY not in call.key_digest
    assert call.ended_at is not None


def test_a_key_is_tried_twenty_times_an_hour_and_no_more():
    tried(TRIALS_PER_HOUR, minutes_ago=59)
    with pytest.raises(NoBudget, match="tried 20 times within the hour") as refusal, trial_gate(KEY)():
        pass
    assert 0 < refusal.value.wait <= 60
    with trial_gate("another-key-0002")():
        pass


def test_trials_of_more_than_an_hour_ago_are_forgotten():
    tried(TRIALS_PER_HOUR, minutes_ago=61)
    with trial_gate(KEY)():
        pass
    assert TrialCall.objects.count() == 1


def test_a_third_trial_at_once_is_refused_until_a_dead_one_expires():
    with trial_gate(KEY)(), trial_gate(KEY)():
        a_trial_is_refused("somebody else is testing")
    TrialCall.objects.update(ended_at=None, at=database_now() - gate.PLACE_LASTS - timedelta(seconds=1))
    with trial_gate(KEY)():
        pass


def test_a_trial_cannot_be_made_inside_a_transaction():
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(), trial_gate(KEY)():
        pass
    assert not TrialCall.objects.exists()


def test_the_trial_calls_of_a_key_are_debited_from_its_budget_when_it_is_stored():
    tried(7)
    tried(3, key="another-key-0002")
    credential = CredentialFactory(api_key=KEY)
    assert book(credential) == 7
    assert gate.budget_states([credential])[credential.pk].free == 13
    assert sum(ApiUsage.objects.filter(credential=credential).values_list("calls", flat=True)) == 7
    assert TrialCall.objects.count() == 3


def test_trials_that_lie_apart_are_booked_at_their_own_times():
    tried(5, minutes_ago=50)
    tried(2)
    credential = CredentialFactory(api_key=KEY)
    book(credential)
    interval = timedelta(seconds=Bucket.of(1000).interval)
    ahead = CallBudget.objects.get(credential=credential).theoretical_arrival_at - database_now()
    assert interval < ahead <= 2 * interval
    assert ApiUsage.objects.filter(credential=credential).count() == 2


def test_a_key_that_was_never_tried_books_nothing():
    credential = CredentialFactory(api_key=KEY)
    assert book(credential) == 0
    assert gate.budget_states([credential])[credential.pk].free == 20
