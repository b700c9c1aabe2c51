"""The drawing of a weekend: one axis for all zones, also where the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sync.core.policy import DEFAULT_POLICY
from sync.core.tiers import StartWindow, start_window
from sync.web.weekend_drawing import Axis, axis_of, bar, high_span, scale

SATURDAY = date(2026, 6, 6)
NEW_YORK = ZoneInfo("America/New_York")
PHOENIX = ZoneInfo("America/Phoenix")
DENVER = ZoneInfo("America/Denver")


def local(zone: ZoneInfo, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=zone).astimezone(UTC)


def at(moment: datetime) -> StartWindow:
    return StartWindow(earliest=moment, latest=moment)


def axis(*windows: StartWindow, saturday: date = SATURDAY, zone: ZoneInfo = NEW_YORK) -> Axis:
    return axis_of(saturday, [(zone, high_span([window], policy=DEFAULT_POLICY)) for window in windows])


def drawn(found: Axis, *windows: StartWindow, zone: ZoneInfo = NEW_YORK):
    return bar(found, windows, zone=zone, policy=DEFAULT_POLICY)


def hours(found: Axis) -> tuple[float, float]:
    return found.first / timedelta(hours=1), found.last / timedelta(hours=1)


def texts(marks) -> list[str]:
    return [mark.text for mark in marks]


def test_the_axis_is_saturday_and_sunday_and_goes_on_where_a_race_does():
    noon = at(local(NEW_YORK, 2026, 6, 6, 12))
    friday = at(local(NEW_YORK, 2026, 6, 5, 18, 30))
    late = at(local(NEW_YORK, 2026, 6, 7, 23, 0))

    assert hours(axis()) == (0, 48)
    assert hours(axis(noon)) == (0, 48)
    assert hours(axis(noon, friday)) == (-12, 48)
    assert hours(axis(late)) == (0, 48)
    assert hours(axis(noon, at(local(NEW_YORK, 2026, 6, 7, 23, 1)))) == (0, 54)


def test_a_bar_begins_four_hours_before_the_first_start_and_ends_an_hour_after_the_last():
    first, last = at(local(NEW_YORK, 2026, 6, 6, 10)), at(local(NEW_YORK, 2026, 6, 6, 11))

    found = drawn(axis(first, last), first, last)

    assert [(piece.x, piece.width) for piece in found.high] == [("12.5%", "12.5%")]
    assert found.starts == ("20.83%", "22.92%")
    assert found.whole == found.high[0]
    assert found.vague == ()


def test_a_race_of_both_days_is_two_bars_and_starts_at_the_same_time_are_one_tick():
    saturday, sunday = at(local(NEW_YORK, 2026, 6, 6, 10)), at(local(NEW_YORK, 2026, 6, 7, 10))

    found = drawn(axis(saturday), saturday, saturday, sunday)

    assert [piece.x for piece in found.high] == ["12.5%", "62.5%"]
    assert (found.whole.x, found.whole.width) == ("12.5%", "60.42%")
    assert len(found.starts) == 2


def test_a_start_without_a_time_of_day_is_a_stretch_without_a_tick():
    window = start_window(starts_at=local(NEW_YORK, 2026, 6, 6), is_placeholder=True, timezone="America/New_York")

    found = drawn(axis(window), window)

    # It may start from 04:00 to 14:00, so it is HIGH from 00:00 to 15:00.
    assert [(piece.x, piece.width) for piece in found.vague] == [("0%", "31.25%")]
    assert (found.high, found.starts) == ((), ())


def test_eight_o_clock_of_each_partner_stands_in_the_same_place():
    found = axis()
    here = found.place(local(NEW_YORK, 2026, 6, 6, 8), zone=NEW_YORK)

    assert here == found.place(local(PHOENIX, 2026, 6, 6, 8), zone=PHOENIX)
    assert found.place(local(NEW_YORK, 2026, 6, 3), zone=NEW_YORK) == 0
    assert found.place(local(NEW_YORK, 2026, 6, 12), zone=NEW_YORK) == 100


def test_the_scale_names_days_hours_midnights_and_now(now):
    marks = scale(axis(), zone=NEW_YORK, now=now)

    assert texts(marks.days) == ["Sat Jun 6", "Sun Jun 7"]
    assert [mark.x for mark in marks.days] == ["25%", "75%"]
    assert texts(marks.hours) == ["06:00", "12:00", "18:00"] * 2
    assert not any(mark.is_minor for mark in marks.hours)
    assert marks.midnights == ("50%",)
    assert marks.now == "12.5%"
    assert scale(axis(), zone=NEW_YORK, now=now + timedelta(days=3)).now == ""


def test_a_longer_axis_leaves_hours_out_on_a_phone_and_does_not_name_a_day_that_is_cut_off():
    marks = scale(axis(at(local(NEW_YORK, 2026, 6, 6, 1))), zone=NEW_YORK, now=local(NEW_YORK, 2026, 6, 1))

    assert texts(marks.days) == ["Sat Jun 6", "Sun Jun 7"]
    assert {mark.text for mark in marks.hours if mark.is_minor} == {"06:00", "18:00"}
    assert len(marks.midnights) == 2


def test_when_the_clocks_are_set_back_sunday_has_25_hours_where_they_are():
    saturday = date(2026, 10, 31)
    race = at(local(NEW_YORK, 2026, 11, 1, 8))
    found = axis(race, saturday=saturday)
    marks = scale(found, zone=NEW_YORK, now=local(NEW_YORK, 2026, 10, 30))

    assert hours(found) == (0, 49)
    # 06:00 EST is the 31st hour of the weekend.
    assert [mark.x for mark in marks.hours if mark.text == "06:00"] == [f"{600 / 49:.2f}%", f"{3100 / 49:.2f}%"]
    assert marks.midnights == (f"{2400 / 49:.2f}%",)
    # 04:00 to 09:00 EST.
    assert drawn(found, race).high[0].x == f"{2900 / 49:.2f}%"
    # Where nobody turns a clock Monday begins an hour before the end of the axis.
    assert scale(found, zone=PHOENIX, now=race.earliest).midnights == (f"{2400 / 49:.2f}%", f"{4800 / 49:.2f}%")


def test_a_race_over_the_repeated_hour_is_as_long_as_it_lasts():
    saturday = date(2026, 10, 31)
    night = at(local(NEW_YORK, 2026, 11, 1, 3))

    found = drawn(axis(night, saturday=saturday), night)

    # Four hours before 03:00 EST it is midnight EDT, 24 hours after the axis began.
    assert [piece.x for piece in found.high] == [f"{2400 / 49:.2f}%"]
    assert found.starts == (f"{2800 / 49:.2f}%",)


def test_when_the_clocks_are_set_forward_sunday_has_23_hours_where_they_are():
    saturday = date(2027, 3, 13)
    race = at(local(NEW_YORK, 2027, 3, 14, 8))
    found = axis(race, saturday=saturday)
    marks = scale(found, zone=NEW_YORK, now=local(NEW_YORK, 2027, 3, 12))

    assert hours(found) == (0, 48)
    # 06:00 EDT is the 29th hour of the weekend, and Monday begins with the 47th.
    assert [mark.x for mark in marks.hours if mark.text == "06:00"] == ["12.5%", f"{2900 / 48:.2f}%"]
    assert marks.midnights == ("50%", f"{4700 / 48:.2f}%")


def test_without_a_clock_change_every_zone_has_the_same_axis():
    marks = [scale(axis(), zone=zone, now=local(DENVER, 2026, 6, 1)) for zone in (NEW_YORK, DENVER, PHOENIX)]

    assert marks[0] == marks[1] == marks[2]
