"""Fault 16: a clock that was set back leaves times in the future; nothing of the gate may wait for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners import gate
from partners.gate import NoBudget, database_now
from partners.models import CallBudget
from tests.factories import CredentialFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def credential():
    return CredentialFactory()


def test_a_pause_and_places_beyond_any_that_we_give_do_not_count(credential):
    future = database_now() + timedelta(hours=3)
    CallBudget.objects.create(
        credential=credential, paused_until=future, calls_in_flight=[future, future], theoretical_arrival_at=future
    )
    # The burst is taken to be spent, so the call waits for one interval, not for three hours.
    with gate.call(credential.pk, purpose="HIGH", patience=10):
        pass
    assert gate.budget_states([credential])[credential.pk].paused_until is None


def test_background_leaves_one_place_to_the_lanes(credential):
    with gate.call(credential.pk, purpose="background"):
        with pytest.raises(NoBudget), gate.call(credential.pk, purpose="background"):
            pytest.fail("a second background call was let through")
        with gate.call(credential.pk, purpose="HIGH"):
            pass
