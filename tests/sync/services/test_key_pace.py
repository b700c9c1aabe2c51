"""A key whose races want more than it may call: what its visits do differently, and that nothing is forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.gate import database_now
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.services.key_pace import key_demand, key_demands, key_pace
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, RaceFactory
from tests.sync.provider_stage import from_now, make_due, refill


@pytest.fixture
def credential(db):
    return CredentialFactory()


def test_the_races_of_many_keys_are_counted_with_one_query(django_assert_num_queries, credential):
    keys = [credential, *CredentialFactory.create_batch(3)]
    for number, key in enumerate(keys[:3]):
        for _ in range(number + 1):
            schedule(RaceFactory(credential=key), "HIGH", starts_in=timedelta(hours=3))

    now = database_now()
    with django_assert_num_queries(1):
        demands = key_demands([key.pk for key in keys], now=now)

    assert [demands[key.pk].high for key in keys] == [1, 2, 3, 0]


def schedule(race, tier, *, starts_in):
    now = database_now()
    event = EventFactory(race=race, starts_at=now + starts_in)
    EventSyncFactory(event=event, tier=tier, due_at=now)


def test_a_race_counts_once_in_the_most_urgent_tier_of_its_events(credential):
    mixed, later = RaceFactory(credential=credential), RaceFactory(credential=credential)
    schedule(mixed, "LOW", starts_in=timedelta(days=3))
    schedule(mixed, "HIGH", starts_in=timedelta(hours=3))
    schedule(later, "MEDIUM", starts_in=timedelta(hours=20))
    schedule(RaceFactory(credential=credential), "HIGH", starts_in=timedelta(minutes=30))
    schedule(RaceFactory(), "HIGH", starts_in=timedelta(hours=1))
    demand = key_demand(credential.pk, now=database_now())
    assert (demand.high, demand.medium, demand.low, demand.final) == (2, 1, 0, 1)


def test_the_pace_follows_the_rate_that_the_key_has_now(credential):
    for _ in range(8):
        schedule(RaceFactory(credential=credential), "HIGH", starts_in=timedelta(hours=3))
    now = database_now()
    calm = key_pace(credential.pk, rate=1000, now=now, policy=DEFAULT_POLICY)
    slowed = key_pace(credential.pk, rate=400, now=now, policy=DEFAULT_POLICY)
    assert not calm.overloaded
    assert slowed.overloaded
    assert slowed.periods[Tier.HIGH] > timedelta(seconds=60)


@pytest.mark.django_db(transaction=True)
def test_an_overloaded_key_syncs_less_often_and_asks_less_often_who_left(stage):
    races = [stage.add_race(starts=[from_now(hours=3)], people=1) for _ in range(18)]
    stage.discover()
    stage.sync()
    row = stage.row(races[0].events[0])
    gap = row.due_at - row.checked_at
    assert timedelta(seconds=60) < gap < timedelta(seconds=95)
    # Each race's turn to ask for withdrawals, if its fifth visit did; under overload only the tenth does.
    for each in type(row).objects.select_related("event__race"):
        type(row).objects.filter(pk=each.pk).update(visits=(5 - each.event.race.provider_race_id) % 10)
    refill()
    make_due(stage.event(races[0].events[0]))
    before = len(stage.calls("removed-participants"))
    stage.sync()
    assert len(stage.calls("removed-participants")) == before
