"""What a key will be asked for: each race in its most urgent tier, exact to the second, said in the partner's zone."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.forecast import Colour, EventStart, busiest_sentence, forecast, overload_sentence
from sync.core.pace import Demand, wanted_per_hour
from sync.core.policy import DEFAULT_POLICY, Tier
from sync.core.tiers import StartWindow, start_window, tier_at

NEW_YORK = ZoneInfo("America/New_York")
# A Wednesday; the Saturday after it is June 6.
NOW = datetime(2026, 6, 3, 10, 20, tzinfo=UTC)
DAY = timedelta(days=1)
SATURDAY_8 = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)


def starting(at: datetime, *, races: int = 1, first: int = 0) -> list[EventStart]:
    window = StartWindow(earliest=at, latest=at)
    return [EventStart(race_id=first + number, window=window) for number in range(races)]


def look(starts, *, now: datetime = NOW, days: float = 14, limit: int = 1000, zone=NEW_YORK):
    return forecast(starts, begins=now, ends=now + timedelta(days=days), limit=limit, zone=zone, policy=DEFAULT_POLICY)


def sentences(found, *, now: datetime = NOW, zone=NEW_YORK) -> list[str]:
    return [
        overload_sentence(overload, found, zone=zone, now=now, policy=DEFAULT_POLICY) for overload in found.overloads
    ]


def test_an_event_passes_through_its_three_tiers_at_the_breakpoints():
    found = look(starting(SATURDAY_8))

    assert [(each.begins, each.demand) for each in found.intervals] == [
        (NOW, Demand(high=0, medium=0, low=1)),
        (SATURDAY_8 - timedelta(hours=24), Demand(high=0, medium=1, low=0)),
        (SATURDAY_8 - timedelta(hours=4), Demand(high=1, medium=0, low=0)),
        (SATURDAY_8 + timedelta(hours=1), Demand(high=0, medium=0, low=0)),
    ]
    # One call a minute, and every fifth asks who left.
    assert [round(each.wanted) for each in found.intervals] == [2, 16, 72, 0]


def test_a_race_counts_once_in_the_most_urgent_tier_of_its_events():
    ten_k = EventStart(race_id=0, window=StartWindow(earliest=SATURDAY_8, latest=SATURDAY_8))
    later = SATURDAY_8 + timedelta(hours=2)
    half = EventStart(race_id=0, window=StartWindow(earliest=later, latest=later))
    unknown = EventStart(race_id=0, window=None)

    found = look([ten_k, half, unknown])

    high = [each for each in found.intervals if each.demand.high]
    assert [(each.begins, each.ends, each.demand) for each in high] == [
        (SATURDAY_8 - timedelta(hours=4), later + timedelta(hours=1), Demand(high=1, medium=0, low=0))
    ]
    assert found.intervals[-1].demand == Demand(high=0, medium=0, low=1)


def test_events_that_change_together_make_one_interval():
    found = look(starting(SATURDAY_8, races=30))
    assert len(found.intervals) == 4


def test_a_crowded_morning_is_said_before_it_happens():
    found = look(starting(SATURDAY_8, races=18) + starting(SATURDAY_8 + timedelta(hours=12), races=10, first=50))

    assert found.colour is Colour.RED
    assert sentences(found) == [
        "Saturday 04:00–09:00 EDT: 1,456 calls/h wanted (18 races), 1,000 allowed; "
        "race-day races will sync about every 79 s; nothing is lost, it arrives later."
    ]
    assert busiest_sentence(found, zone=NEW_YORK, now=NOW) == "Saturday 04:00 EDT, 1,456 calls wanted"


def test_the_sentence_names_both_days_and_a_date_beyond_the_week():
    start = SATURDAY_8 + timedelta(days=7, hours=-6)
    assert sentences(look(starting(start, races=18)))[0].startswith("Friday Jun 12 22:00 – Saturday Jun 13 03:00 EDT: ")


def test_an_overload_that_holds_now_and_beyond_the_end_says_so():
    found = look(starting(NOW + timedelta(hours=2), races=30), days=0.1)
    assert sentences(found)[0].startswith("now – after Wednesday 08:44 EDT: 2,160 calls/h wanted (30 races)")


@pytest.mark.parametrize(
    ("starts", "consequence"),
    [
        (
            starting(SATURDAY_8) + starting(SATURDAY_8 + timedelta(days=5), races=455, first=50),
            "982 calls/h wanted (456 races), 956 of 1,000 allowed can be planned with; race-day races keep their 60 s, "
            "those further ahead will sync about every",
        ),
        (
            starting(SATURDAY_8, races=13) + starting(SATURDAY_8 + timedelta(hours=10), races=7, first=50),
            "1,048 calls/h wanted (20 races), 1,000 allowed; race-day races keep their 60 s, those that start within "
            "24 h will sync about every",
        ),
    ],
    ids=["low gives", "medium gives"],
)
def test_while_only_the_less_urgent_give_the_sentence_says_that_race_day_does_not(starts, consequence):
    assert any(consequence in sentence for sentence in sentences(look(starts)))


def test_a_stretch_by_less_than_a_second_is_none():
    # 14 races that want 1,072 calls: MEDIUM at its floor is almost enough.
    found = look(starting(SATURDAY_8, races=14) + starting(SATURDAY_8 + timedelta(hours=10), races=4, first=50))
    assert all("every 60 s" not in sentence for sentence in sentences(found))


@pytest.mark.parametrize(
    ("races", "colour"), [(11, Colour.GREEN), (12, Colour.YELLOW), (13, Colour.YELLOW), (14, Colour.RED)]
)
def test_a_key_is_green_up_to_83_percent_yellow_up_to_all_and_red_above(races, colour):
    found = look(starting(SATURDAY_8, races=races))
    assert found.colour is colour
    assert bool(found.overloads) == (colour is Colour.RED)


def test_the_high_period_follows_from_the_races_and_the_limit():
    busy = look(starting(SATURDAY_8, races=18), limit=500)
    (worst,) = {each.high_period for each in busy.intervals if each.demand.high}
    assert timedelta(seconds=145) < worst < timedelta(seconds=165)


def test_a_day_on_which_the_clocks_go_back_has_its_hours_in_utc_and_its_words_in_local_time():
    # 2026-11-01: 02:00 EDT becomes 01:00 EST. A start at 05:30 EST is HIGH from 01:30 EST on.
    start = datetime(2026, 11, 1, 10, 30, tzinfo=UTC)
    now = datetime(2026, 10, 30, 10, 0, tzinfo=UTC)
    found = look(starting(start, races=20), now=now)

    high = next(each for each in found.intervals if each.demand.high)
    assert high.ends - high.begins == timedelta(hours=5)
    assert sentences(found, now=now)[0].startswith("Sunday 01:30–06:30 EST: ")
    # An hour earlier is the first of the two 01:30.
    earlier = look(starting(start - timedelta(hours=1), races=20), now=now)
    assert sentences(earlier, now=now)[0].startswith("Sunday 01:30 EDT–05:30 EST: ")


def test_the_busiest_hour_is_a_clock_hour_of_the_zone_also_where_hours_begin_at_half_past():
    found = look(starting(SATURDAY_8, races=5), zone=ZoneInfo("Asia/Kolkata"))
    assert found.busiest.begins.minute == 30
    assert found.busiest.wanted == pytest.approx(360)
    assert busiest_sentence(found, zone=ZoneInfo("Asia/Kolkata"), now=NOW) == "Saturday 14:00 IST, 360 calls wanted"


def test_the_busiest_hour_counts_what_is_wanted_in_it_on_average():
    # HIGH from 04:30 on, and the forecast ends at 05:00.
    found = look(
        starting(SATURDAY_8 + timedelta(minutes=30), races=5), days=(SATURDAY_8 - timedelta(hours=3) - NOW) / DAY
    )
    assert found.busiest.begins == SATURDAY_8 - timedelta(hours=4)
    assert found.busiest.wanted == pytest.approx((80 + 360) / 2)


def test_a_start_without_a_time_of_day_is_high_from_midnight_until_the_afternoon():
    window = start_window(
        starts_at=datetime(2026, 6, 6, 4, 0, tzinfo=UTC), is_placeholder=True, timezone="America/New_York"
    )
    (high,) = [each for each in look([EventStart(race_id=1, window=window)]).intervals if each.demand.high]
    assert (high.begins, high.ends) == (
        datetime(2026, 6, 6, 4, 0, tzinfo=UTC),
        datetime(2026, 6, 6, 19, 0, tzinfo=UTC),
    )


def test_a_key_without_events_is_green_and_says_that_nothing_is_scheduled():
    found = look([])
    assert found.colour is Colour.GREEN
    assert len(found.intervals) == 1
    assert busiest_sentence(found, zone=NEW_YORK, now=NOW) == "none in the next 14 days: nothing is scheduled"


def test_what_is_over_wants_nothing():
    assert not look(starting(NOW - timedelta(hours=2))).busiest.wanted


def test_a_forecast_ends_after_it_begins():
    with pytest.raises(ValueError, match="must end after it begins"):
        look([], days=0)


minutes = st.integers(-3 * 1440, 6 * 1440)


@given(
    events=st.lists(st.tuples(st.integers(0, 6), st.none() | minutes), max_size=25),
    probe=st.integers(0, 5 * 1440 - 1),
)
def test_the_sweep_agrees_with_the_tiers_at_any_moment(events, probe):
    starts = []
    for race_id, offset in events:
        at = None if offset is None else NOW + timedelta(minutes=offset)
        starts.append(EventStart(race_id=race_id, window=None if at is None else StartWindow(earliest=at, latest=at)))
    found = look(starts, days=5)
    at = NOW + timedelta(minutes=probe, seconds=30)
    tiers: dict[int, list[Tier]] = {}
    for start in starts:
        if (tier := tier_at(start.window, now=at, policy=DEFAULT_POLICY)) is not None:
            tiers.setdefault(start.race_id, []).append(tier)
    order = list(Tier)
    urgent = [min(of_race, key=order.index) for of_race in tiers.values()]
    demand = Demand(high=urgent.count(Tier.HIGH), medium=urgent.count(Tier.MEDIUM), low=urgent.count(Tier.LOW))

    (interval,) = [each for each in found.intervals if each.begins <= at < each.ends]

    assert interval.demand == demand
    assert interval.wanted == wanted_per_hour(demand, policy=DEFAULT_POLICY)
    assert found.intervals[0].begins == NOW
    assert found.intervals[-1].ends == NOW + timedelta(days=5)
    pairs = list(pairwise(found.intervals))
    assert all(one.ends == two.begins and one.demand != two.demand for one, two in pairs)
    assert found.busiest.wanted <= max(each.wanted for each in found.intervals) + 1e-6


def test_five_thousand_events_of_a_key_take_well_under_a_second():
    starts = [
        EventStart(race_id=number // 2, window=StartWindow(earliest=at, latest=at))
        for number in range(5000)
        for at in [NOW + timedelta(minutes=number * 7919 % (20 * 1440))]
    ]
    begun = time.process_time()
    found = look(starts)
    assert time.process_time() - begun < 1.5
    assert len(found.intervals) > 1000
