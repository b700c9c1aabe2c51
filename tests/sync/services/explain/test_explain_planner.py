"""What the planner decides about an event now, and what follows from it."""

from __future__ import annotations

from datetime import UTC, timedelta

from partners.models import CallBudget
from races.models import Event
from sync.core.explanation import explanation, run_texts
from sync.core.pace import usable_per_hour
from sync.core.planning import Verdict
from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import zone_of
from sync.core.time_words import Clock
from sync.services.cycles import cycle_run
from sync.services.explain import event_facts
from tests.factories import EventFactory, EventSyncFactory, RaceFactory

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_an_event_that_is_not_due_yet_needs_nothing(said, event_of, now):
    found = said(event_of(changed_at=now - 9 * MINUTE, removals_checked_at=now - 160 * SECOND), now)

    assert found["Why"] == "Its next sync is due at 06:00:20 EDT, in 20 s."
    assert found["To change"] == "nothing: it is due at 06:00:20 EDT."
    assert found["Start"] == "08:00 EDT, in 2 h; zone America/New_York"
    assert found["Tier"] == ("HIGH since 04:00 EDT, 4 h before the start, until 09:00 EDT: every 60 s")
    assert found["Due"] == "06:00:20 EDT, in 20 s"
    assert found["List"] == "as of 05:59:20 EDT, 40 s ago; last change 05:51 EDT; withdrawals as of 05:57 EDT"
    assert found["Failures"] == "none since the last good sync"
    assert found["Planner"] == "WAIT: not due yet (due 06:00:20 EDT, in 20 s)"
    assert found["Pace"] == f"every 60 s as planned (72 of {usable_per_hour(1000):,.0f} calls an hour wanted)"
    assert found["Scheduler"] == "alive: last cycle 05:59:56 EDT, 4 s ago"


def test_the_utc_stands_beside_the_local_time_when_asked_for(event_of, facts_of, now):
    clock = Clock(zone=zone_of("America/New_York"), now=now, with_utc=True)
    lines = explanation(facts_of(event_of(), now), clock=clock, policy=DEFAULT_POLICY)
    found = {line.label: line.text for line in lines}
    assert found["Due"] == "06:00:20 EDT (10:00:20 UTC), in 20 s"
    assert found["Start"].startswith("08:00 EDT (12:00 UTC), in 2 h")


def test_the_planner_decides_as_a_cycle_would(said, event_of, key, now):
    due = event_of(due_at=now - 4 * SECOND)
    CallBudget.objects.create(credential=key)

    found = said(due, now)

    assert found["Planner"] == "RUN: due (4 s late)"
    assert found["To change"] == "nothing: the next cycle takes it, within 10 s."
    report = cycle_run(now=now, call_lanes=False)
    assert report is not None
    assert [decision.verdict for decision in report.decisions] == [Verdict.RUN]


def test_a_full_cycle_makes_a_less_overdue_event_wait(said, event_of, key, now):
    race = RaceFactory(credential=key)
    for _ in range(60):
        EventSyncFactory(event=EventFactory(race=race), tier="HIGH", due_at=now - MINUTE)
    found = said(event_of(due_at=now - SECOND), now)
    assert found["Planner"] == "DEFER: this cycle already took 50 HIGH events (cap 50)"
    assert found["To change"] == "nothing: a later cycle takes it; one starts every 10 s."


def test_an_event_that_was_never_synced_says_so(said, facts_of, event_of, now):
    event = event_of(checked_at=None, due_at=now)
    found = said(event, now)
    assert found["List"] == "never loaded"
    assert found["Planner"] == "RUN: due (0 s late)"
    assert run_texts(facts_of(event, now).runs, clock=Clock(zone=UTC, now=now)) == ()


def test_an_event_that_no_discovery_scheduled_says_so(said, key, now):
    event = EventFactory(race=RaceFactory(credential=key), starts_at=now + 2 * HOUR)
    found = said(event, now)
    assert found["Why"] == "It is not in the schedule yet."
    assert found["Due"] == "not due: it is not in the schedule"


def test_explaining_changes_nothing_and_asks_a_fixed_number_of_queries(
    event_of, run_of, now, django_assert_num_queries
):
    event = event_of()
    loaded = Event.objects.select_related("sync", "race__credential__partner", "race__credential__budget").get(
        pk=event.pk
    )
    with django_assert_num_queries(4):
        event_facts(event=loaded, now=now)
    for _ in range(5):
        run_of(event_of(), now - MINUTE)
    with django_assert_num_queries(4) as captured:
        event_facts(event=loaded, now=now)
    assert all(query["sql"].startswith("SELECT") for query in captured.captured_queries)


def test_calls_that_more_urgent_races_of_the_key_take_first_are_counted_as_in_a_cycle(event_of, key, said, now):
    for _ in range(17):
        event_of(due_at=now - MINUTE)
    medium = event_of(starts_at=now + 20 * HOUR, due_at=now - 20 * SECOND)

    found = said(medium, now)

    assert found["Planner"] == (
        "DEFER: the key has 3 calls free of its 1,000 an hour, too few for MEDIUM (free 3, needs 4)"
    )
    report = cycle_run(now=now, call_lanes=False)
    assert report is not None
    (decided,) = [decision for decision in report.decisions if decision.event_id == medium.pk]
    assert found["Planner"].startswith(f"{decided.verdict.upper()}: {decided.reason}")


def test_an_event_that_a_cycle_does_not_even_look_at_says_so(event_of, said, now):
    # One race of another partner fills the whole look; alone, this partner's turn would have come at once.
    race = RaceFactory()
    for _ in range(200):
        EventSyncFactory(event=EventFactory(race=race), tier="HIGH", due_at=now - MINUTE)
    event = event_of(due_at=now - SECOND)

    found = said(event, now)

    assert found["Why"] == "A cycle looks at the 200 most overdue HIGH events, and it is not one of them yet."
    assert found["To change"] == "nothing: a later cycle takes it; one starts every 10 s."
    report = cycle_run(now=now, call_lanes=False)
    assert report is not None
    assert event.pk not in {decision.event_id for decision in report.decisions}


def test_explaining_a_due_event_asks_as_much_as_a_cycle_does(event_of, facts_of, now, django_assert_max_num_queries):
    event = event_of(due_at=now - SECOND)
    for _ in range(40):
        event_of(due_at=now - MINUTE)
    with django_assert_max_num_queries(15):
        facts_of(event, now)
