"""Pages, cursors and transactions of one visit: nothing is ever ahead of what is committed (I3, I5)."""

from __future__ import annotations

import time

import pytest
from django.db import OperationalError, connection

from partners.gate import database_now
from partners.runsignup import paging
from races.models import Participant, ParticipantChange
from sync.models import EventSync, Outcome
from sync.services import visit_outcomes
from sync.services.cycles import cycle_run
from sync.services.lanes import lane_run
from tests.sync.provider_stage import (
    Stage,
    assert_mirror_is_truth,
    end_leases,
    from_now,
    hook_calls,
    listed,
    make_due,
    refill,
)

pytestmark = pytest.mark.django_db(transaction=True)

FULL_PAGE = 5


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(paging, "PAGE_SIZE", FULL_PAGE)


@pytest.fixture
def of_three_pages(stage: Stage) -> Stage:
    """One HIGH event whose list has two full pages and a short one. Not synced yet."""
    stage.add_race(starts=[from_now(hours=2)], people=12)
    stage.discover()
    return stage


def the_event(stage: Stage):
    return next(iter(stage.world.events.values()))


def test_all_pages_are_read_and_the_cursor_moves_after_the_last(of_three_pages):
    began = int(time.time())
    [run] = of_three_pages.sync()
    assert (run.outcome, run.pages, run.fetched, run.added, run.calls) == (Outcome.OK, 3, 12, 12, 3)
    assert run.cursor_before is None
    assert began - 61 <= run.cursor_after <= int(time.time()) - 60
    assert EventSync.objects.get().cursor == run.cursor_after
    assert_mirror_is_truth(of_three_pages.world)


def test_a_page_that_fails_leaves_the_pages_before_it_and_the_cursor_where_it_was(of_three_pages):
    """I3: first page stored, cursor unmoved, run failed, backed off; the next good visit is complete."""
    hook = SecondPageBroken(of_three_pages)
    [run] = hook.sync()
    assert (run.outcome, run.pages, run.added) == (Outcome.FAILED, 0, 0)
    row = EventSync.objects.get()
    assert (row.cursor, row.checked_at, row.removals_cursor, row.failures) == (None, None, None, 1)
    [run] = of_three_pages.sync()
    assert run.outcome == Outcome.OK
    assert EventSync.objects.get().cursor is not None
    assert_mirror_is_truth(of_three_pages.world)


class SecondPageBroken:
    """Answers one page, then breaks once."""

    def __init__(self, stage: Stage, *, good_pages: int = 1) -> None:
        self.stage = stage
        self.good_pages = good_pages

    def sync(self):
        faults = self.stage.world.faults
        # A delay of nothing lets a page through and is used up by it.
        faults.add(endpoint="participants", delay=0.0, calls=self.good_pages)
        faults.add(endpoint="participants", status=500, calls=1)
        return self.stage.sync()


def test_what_came_before_the_broken_page_is_in_the_mirror(of_three_pages):
    [run] = SecondPageBroken(of_three_pages, good_pages=2).sync()
    assert (run.outcome, run.pages, run.added) == (Outcome.FAILED, 1, FULL_PAGE)
    assert Participant.objects.count() == FULL_PAGE
    assert EventSync.objects.get().cursor is None


def test_trap_7_the_last_page_shares_the_transaction_of_the_cursor(of_three_pages, monkeypatch):
    """The commit fails: neither the page nor the cursor is there, and the run does not count what is not stored."""
    real = visit_outcomes.close_good

    def commit_fails(visit, **options):
        real(visit, **options)
        monkeypatch.undo()
        monkeypatch.setattr(paging, "PAGE_SIZE", FULL_PAGE)
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(visit_outcomes, "close_good", commit_fails)
    [run] = of_three_pages.sync()
    assert (run.outcome, run.error_class, run.added, run.pages) == (Outcome.FAILED, "OperationalError", 10, 2)
    assert run.cursor_after is None
    assert Participant.objects.count() == ParticipantChange.objects.count() == 10
    row = EventSync.objects.get()
    assert (row.cursor, row.checked_at, row.visits) == (None, None, 0)
    [run] = of_three_pages.sync()
    assert (run.outcome, run.added) == (Outcome.OK, 2)
    assert_mirror_is_truth(of_three_pages.world)


def test_no_call_is_made_inside_a_transaction(of_three_pages, monkeypatch):
    inside = []
    hook_calls(monkeypatch, lambda _path, _params: inside.append(connection.in_atomic_block))
    of_three_pages.sync()
    of_three_pages.sync()
    assert len(inside) > 3
    assert not any(inside)


def test_a_later_fetch_asks_only_for_what_changed_since_the_cursor(of_three_pages, monkeypatch):
    of_three_pages.sync()
    cursor = EventSync.objects.get().cursor
    asked = []
    hook_calls(monkeypatch, lambda _path, params: asked.append(params.get("modified_after_timestamp")))
    [run] = of_three_pages.sync()
    assert asked == [str(cursor)]
    assert (run.fetched, run.full) == (0, False)


def test_the_as_of_time_is_the_start_of_the_fetch(of_three_pages):
    """I5."""
    [run] = of_three_pages.sync()
    row = EventSync.objects.get()
    assert row.checked_at == row.removals_checked_at == row.reconciled_at == run.started_at


def test_who_registers_between_two_pages_and_who_leaves_between_them(of_three_pages, monkeypatch):
    """Row 13: the keyset skips nobody; what happened meanwhile is the next visit's at the latest."""
    world, event = of_three_pages.world, the_event(of_three_pages)
    leaves = event.registrations[0].registration_id

    def between(_path, params):
        if params.get("after_registration_id") not in {"0", None} and len(event.registrations) == 12:
            world.change("withdraw", registration_id=leaves)
            world.change("register", event_id=event.event_id)

    hook_calls(monkeypatch, between)
    of_three_pages.sync()
    assert {one.registration_id for one in event.registrations[1:]} <= listed(event)
    for _ in range(5):
        of_three_pages.sync()
    assert_mirror_is_truth(world)


def test_the_same_page_for_ever_ends_the_visit(of_three_pages):
    """Row 12."""
    of_three_pages.world.faults.add(endpoint="participants", ignore=["after_registration_id"])
    [run] = of_three_pages.sync()
    assert run.outcome == Outcome.FAILED
    assert "pagination does not advance" in run.error_text
    assert run.calls == 2
    assert EventSync.objects.get().cursor is None


def test_a_last_modified_from_the_future_does_not_move_the_cursor_there(of_three_pages):
    """Row 15."""
    world, event = of_three_pages.world, the_event(of_three_pages)
    of_three_pages.sync()
    world.change("edit", event_id=event.event_id, row={"last_modified": int(time.time()) + 86_400})
    of_three_pages.sync()
    assert EventSync.objects.get().cursor <= int(time.time())


@pytest.mark.parametrize("offset", [-3600.0, 3600.0])
def test_a_provider_whose_clock_is_an_hour_off_loses_nobody(of_three_pages, offset):
    """Row 16: changes are dated by its clock, and so is the cursor."""
    world, event = of_three_pages.world, the_event(of_three_pages)
    of_three_pages.sync()
    world.clock_offset = offset
    for _ in range(3):
        world.change("register", event_id=event.event_id)
        of_three_pages.sync()
    assert len(listed(event)) == 15
    [left] = world.change("withdraw", event_id=event.event_id)["registration_ids"]
    for _ in range(5):
        of_three_pages.sync()
    assert left not in listed(event)
    world.clock_offset = 0.0
    [number] = world.change("register", event_id=event.event_id)["registration_ids"]
    EventSync.objects.update(reconciled_at=None)
    of_three_pages.sync()
    assert number in listed(event)


# --- a full comparison ------------------------------------------------------------------------------------------


def compare_in_full() -> None:
    EventSync.objects.update(reconciled_at=None)


def test_who_is_missing_from_a_complete_list_has_left(of_three_pages, monkeypatch):
    """Nobody told: the removed list is silent about it."""
    world, event = of_three_pages.world, the_event(of_three_pages)
    of_three_pages.sync()
    event.registrations.pop(0)
    compare_in_full()
    [run] = of_three_pages.sync()
    assert (run.full, run.removed) == (True, 1)
    gone = Participant.objects.get(removed_at__isnull=False)
    assert gone.removed_reason == "missing"
    assert len(listed(event)) == len(world.truth(event.event_id)) == 11


def test_nobody_is_missing_when_a_later_page_fails(of_three_pages):
    of_three_pages.sync()
    the_event(of_three_pages).registrations.pop(0)
    compare_in_full()
    [run] = SecondPageBroken(of_three_pages, good_pages=2).sync()
    assert run.outcome == Outcome.FAILED
    assert Participant.objects.filter(removed_at=None).count() == 12


def test_a_list_that_shrinks_by_nine_tenths_removes_nobody_and_asks_a_person(stage, monkeypatch):
    """Row 20."""
    monkeypatch.setattr(paging, "PAGE_SIZE", 1000)
    stage.add_race(starts=[from_now(hours=2)], people=40)
    stage.discover()
    stage.sync()
    stage.world.faults.add(endpoint="participants", share=0.1)
    compare_in_full()
    [run] = stage.sync()
    assert (run.outcome, run.removed) == (Outcome.UNCHANGED, 0)
    assert Participant.objects.filter(removed_at=None).count() == 40
    held = EventSync.objects.get().hold_reason
    assert held.startswith("36 of 40 people are missing from RunSignUp's list at once.")
    # It stays shown while it is so, also when a visit between compares nothing.
    stage.sync()
    assert EventSync.objects.get().hold_reason == held
    # A person has looked, and asks again.
    stage.world.faults.clear()
    EventSync.objects.update(due_trigger="manual")
    stage.sync()
    assert EventSync.objects.get().hold_reason == ""
    assert_mirror_is_truth(stage.world)


def test_twenty_people_may_leave_at_once(stage, monkeypatch):
    """Row 20: the threshold."""
    monkeypatch.setattr(paging, "PAGE_SIZE", 1000)
    race = stage.add_race(starts=[from_now(hours=2)], people=40)
    stage.discover()
    stage.sync()
    del race.events[0].registrations[:20]
    compare_in_full()
    [run] = stage.sync()
    assert run.removed == 20


def test_rows_that_cannot_be_read_make_nobody_missing_and_are_shown(of_three_pages):
    """Row 22: one row whose id is no number; all others are stored, and it could be anybody."""
    world, event = of_three_pages.world, the_event(of_three_pages)
    of_three_pages.sync()
    world.change("edit", registration_id=event.registrations[3].registration_id, row={"registration_id": "?"})
    compare_in_full()
    [run] = of_three_pages.sync()
    assert (run.outcome, run.removed, run.rejected) == (Outcome.OK, 0, 1)
    assert "registration_id is not a number" in run.error_text
    assert len(listed(event)) == 12


@pytest.mark.parametrize(
    "row", [{"bib_num": "9" * 300}, {"event_id": None}, {"chip_num": "a\0b"}, {"question_responses": "none"}], ids=str
)
def test_a_poison_row_is_rejected_and_shown_and_the_others_are_stored(of_three_pages, row):
    """Row 22."""
    world, event = of_three_pages.world, the_event(of_three_pages)
    of_three_pages.sync()
    before = ParticipantChange.objects.count()
    world.change("edit", registration_id=event.registrations[3].registration_id, row=row)
    world.change("bib", registration_id=event.registrations[4].registration_id, bib_num=7)
    compare_in_full()
    [run] = of_three_pages.sync()
    assert (run.outcome, run.rejected, run.changed, run.removed) == (Outcome.OK, 1, 1, 0)
    # A row without an event is nobody's in particular.
    assert str(event.registrations[3].registration_id) in run.error_text or "event_id is missing" in run.error_text
    assert ParticipantChange.objects.count() == before + 1
    assert len(listed(event)) == 12


def test_a_visit_that_ends_between_two_pages_leaves_whole_pages_and_no_cursor(of_three_pages, monkeypatch):
    """Row 25: the process is gone; the lease ends, the next cycle closes the run, the next lane starts anew."""
    stage = of_three_pages

    def dies(_path, params):
        if params.get("after_registration_id") not in {"0", None} and Participant.objects.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        hook_calls(patched, dies)
        cycle_run(now=database_now(), call_lanes=False)
        make_due()
        cycle_run(now=database_now(), call_lanes=False)
        with pytest.raises(KeyboardInterrupt):
            lane_run(credential_id=stage.key.pk)
    assert Participant.objects.count() == ParticipantChange.objects.count() == FULL_PAGE
    assert EventSync.objects.get().cursor is None
    end_leases()
    refill()
    [run] = [run for run in stage.sync() if run.outcome != Outcome.LOST]
    assert (run.outcome, run.added) == (Outcome.OK, 7)
    assert_mirror_is_truth(stage.world)


def test_trap_19_events_of_different_cursors_are_served_from_the_oldest(stage):
    race = stage.add_race(starts=[from_now(hours=2)] * 2)
    stage.discover()
    stage.sync()
    one, two = race.events
    EventSync.objects.filter(event__provider_event_id=one.event_id).update(cursor=int(time.time()) - 7200)
    world = stage.world
    [number] = world.change("register", event_id=one.event_id, now=time.time() - 3600)["registration_ids"]
    stage.sync()
    assert number in listed(one)
    assert stage.row(two).cursor >= int(time.time()) - 70


def test_trap_19_an_event_that_is_new_to_us_is_fetched_whole_beside_known_ones(stage):
    race = stage.add_race(starts=[from_now(hours=2)])
    stage.discover()
    stage.sync()
    late = stage.add_event(race, start=from_now(hours=3), people=4)
    stage.discover()
    stage.sync()
    assert len(listed(late)) == 4
    assert stage.row(late).cursor is not None
    assert_mirror_is_truth(stage.world)
