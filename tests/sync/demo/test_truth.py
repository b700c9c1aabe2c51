"""The judge of the mirror must find what is wrong, and must not blame what happened after the last look."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partners.gate import database_now
from races.models import Participant
from sync.demo.truth import mirror_compare
from sync.models import EventSync
from tests.sync.provider_stage import Stage, from_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def synced(stage: Stage) -> Stage:
    stage.add_race(starts=[from_now(hours=2), from_now(hours=30)])
    stage.discover()
    stage.sync()
    assert mirror_compare(stage.world).differences == ()
    return stage


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda people: people.filter(pk=people[0].pk).delete(), "is missing"),
        (lambda people: people.filter(pk=people[0].pk).update(bib="9999"), "differs in bib"),
        (
            lambda people: people.filter(pk=people[0].pk).update(removed_at=database_now()),
            "is marked as withdrawn but is not",
        ),
        (lambda people: people.filter(pk=people[0].pk).update(registration_id=42), "is listed but does not exist"),
    ],
)
def test_whatever_is_wrong_in_the_mirror_is_found(synced, spoil, found):
    spoil(Participant.objects.order_by("pk"))
    differences = mirror_compare(synced.world).differences
    assert any(found in difference for difference in differences)


def test_who_withdrew_before_the_last_look_may_not_be_listed(synced):
    event = next(iter(synced.world.events.values()))
    synced.world.change("withdraw", event_id=event.event_id)
    assert mirror_compare(synced.world).differences == ()
    later = database_now() + timedelta(seconds=30)
    EventSync.objects.update(checked_at=later, removals_checked_at=later)
    (difference,) = mirror_compare(synced.world).differences
    assert "withdrew but is still listed" in difference


def test_a_change_after_the_last_fetch_is_nobodys_fault_until_the_next(synced):
    event = next(iter(synced.world.events.values()))
    synced.world.change("register", event_id=event.event_id)
    synced.world.change("bib", event_id=event.event_id, bib_num=77)
    assert mirror_compare(synced.world).differences == ()
    EventSync.objects.update(checked_at=database_now() + timedelta(seconds=30))
    assert len(mirror_compare(synced.world).differences) == 2


def test_an_edit_just_before_a_withdrawal_need_not_have_been_seen(synced):
    event = next(iter(synced.world.events.values()))
    number = event.registrations[0].registration_id
    synced.world.change("edit", registration_id=number, user={"last_name": "Quick"})
    synced.world.change("withdraw", registration_id=number)
    EventSync.objects.update(checked_at=database_now() + timedelta(seconds=30))
    assert mirror_compare(synced.world).differences == ()
    # An edit that a later fetch must have seen counts all the same.
    Participant.objects.filter(registration_id=number).update(last_name="Wrong")
    (difference,) = mirror_compare(synced.world).differences
    assert "differs in last_name" in difference
