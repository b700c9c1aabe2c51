"""Races and events: from the answer to typed documents, and when an event starts."""

from datetime import UTC, date, datetime

import pytest

from partners.runsignup import races
from partners.runsignup.errors import Transient, Unexpected
from tests.partners.runsignup.answers import answer, body, example


def race_of(**changes):
    return example("race")["race"] | changes


def read(content):
    return races.races_page(answer(content))


def event_of(*, timezone="America/Denver", **changes):
    row = example("race")["race"]["events"][0] | changes
    page = read({"races": [{"race": race_of(timezone=timezone, events=[row])}]})
    assert page.rejected == ()
    return page.races[0].events[0]


def test_a_page_of_races_is_read():
    page = read(body("races_page"))
    first, second = page.races
    assert (page.size, page.rejected) == (2, ())
    assert (first.race_id, first.timezone, first.city, first.state, first.country_code) == (
        990001,
        "America/Denver",
        "Cañon Vista",
        "CO",
        "US",
    )
    assert (first.next_date, first.is_draft, first.is_private, first.registration_open) == (
        date(2027, 4, 24),
        False,
        False,
        True,
    )
    assert [event.event_id for event in first.events] == [990101, 990102, 990103]
    assert (second.events[0].distance, second.events[0].event_type) == ("5K", "running_race")
    assert '"event_id": 990201' in second.events[0].raw
    assert second.raw in body("races_page").decode()


def test_one_race_is_read_also_inside_a_list():
    for content in (example("race"), [example("race")]):
        assert races.race(answer(content), race_id=990001).name == "Cañon Ridge Trail Festival & Kids' Dash"


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        [{}],
        {"race": None},
        {"race": []},
        {"race": {"race_id": "x"}},
        None,
        {"races": []},
        [example("race"), example("race")],
    ],
)
def test_an_answer_that_is_not_the_race_is_an_error(content):
    with pytest.raises(Unexpected):
        races.race(answer(content), race_id=990001)


def test_another_race_than_asked_is_an_error():
    with pytest.raises(Unexpected, match="another race"):
        races.race(answer(body("race")), race_id=5)


def test_no_race_is_a_true_empty_only_with_its_key():
    """Fault 7: a missing list is not an empty one."""
    assert read(body("races_empty")).size == 0
    for content in ({}, [], [{}], None, {"races": None}, {"races": {}}, {"race": {}}):
        with pytest.raises(Unexpected):
            read(content)
    with pytest.raises(Transient):
        read(b'{"races":[')


def test_a_renewed_race_keeps_its_id_and_lists_both_years():
    """Trap 36."""
    old = example("race")["race"]["events"][0] | {"event_id": 880101, "start_time": "4/25/2026 06:30"}
    renewed = {"race": race_of(events=[old, *example("race")["race"]["events"]])}
    assert [event.event_id for event in races.race(answer(renewed), race_id=990001).events] == [
        880101,
        990101,
        990102,
        990103,
    ]


@pytest.mark.parametrize("name", ["50% off + fun", "Tom &amp; Ann", "a%20b", '"Hill"', "Cañon  Ridge"])
def test_names_stay_as_the_provider_has_them(name):
    """Trap 29: no decoding of URLs or entities."""
    page = read({"races": [{"race": race_of(name=f"{name} \u00a0")}]})
    assert page.races[0].name == name
    assert event_of(name=name).name == name


@pytest.mark.parametrize(
    ("zone", "text", "utc"),
    [
        ("America/Denver", "4/24/2027 06:30", datetime(2027, 4, 24, 12, 30, tzinfo=UTC)),
        ("America/New_York", "12/5/2026 17:00", datetime(2026, 12, 5, 22, 0, tzinfo=UTC)),
        ("America/Phoenix", "7/4/2026 06:00", datetime(2026, 7, 4, 13, 0, tzinfo=UTC)),  # Arizona: no summer time
        ("Pacific/Honolulu", "12/13/2026 05:00", datetime(2026, 12, 13, 15, 0, tzinfo=UTC)),  # Hawaii
        ("America/Denver", "3/14/2027 02:30", datetime(2027, 3, 14, 9, 30, tzinfo=UTC)),  # never happens: 03:30
        ("America/Denver", "11/7/2027 01:30", datetime(2027, 11, 7, 7, 30, tzinfo=UTC)),  # happens twice: the first
        ("America/Indiana/Indianapolis", "6/6/2026 08:00", datetime(2026, 6, 6, 12, 0, tzinfo=UTC)),
    ],
)
def test_a_start_is_in_the_zone_of_the_race(zone, text, utc):
    """Fault 17, contract §6."""
    event = event_of(timezone=zone, start_time=text, end_time=text)
    assert (event.starts_at, event.start_is_placeholder, event.ends_at) == (utc, False, utc)


def test_midnight_is_a_placeholder():
    """Fault 18."""
    event = event_of(start_time="4/24/2027 00:00")
    assert (event.starts_at, event.start_is_placeholder) == (datetime(2027, 4, 24, 6, 0, tzinfo=UTC), True)
    assert event_of(start_time="4/24/2027 00:01").start_is_placeholder is False


@pytest.mark.parametrize("zone", ["", None, "Mars/Olympus", "America", "../../etc/passwd", "Denver\x7f", "x" * 300])
def test_an_unknown_zone_is_read_as_eastern_and_marked(zone):
    """Fault 17."""
    event = event_of(timezone=zone, start_time="6/6/2026 08:00")
    assert (event.starts_at, event.start_is_placeholder) == (datetime(2026, 6, 6, 12, 0, tzinfo=UTC), True)


@pytest.mark.parametrize("text", [None, "", "TBD", "13/13/2026 08:00", 5, "1/1/0001 00:00", "0/0/0000 00:00"])
def test_a_start_that_cannot_be_read_is_no_start(text):
    """Fault 18: missing."""
    event = event_of(timezone="Asia/Tokyo", start_time=text)
    assert (event.starts_at, event.start_is_placeholder) == (None, False)


def test_registration_opens_in_eastern_time_also_in_denver():
    """Trap 17: 02:00 Eastern is midnight in Denver."""
    event = event_of(registration_opens="10/1/2026 02:00")
    assert event.registration_opens_at == datetime(2026, 10, 1, 6, 0, tzinfo=UTC)


def test_the_race_has_its_dates_in_their_own_formats():
    """Traps 15 and 16: race days are MM/DD/YYYY; the race's last_modified is Eastern text and not a number."""
    page = read({"races": [{"race": race_of(next_date="04/24/2027", last_modified="11/2/2026 09:41")}]})
    assert page.races[0].next_date == date(2027, 4, 24)
    assert read({"races": [{"race": race_of(next_date=None)}]}).races[0].next_date is None


def test_flags_of_a_race_are_letters():
    """Trap 13."""
    flags = {"is_draft_race": "T", "is_private_race": "F", "is_registration_open": "F"}
    (race,) = read({"races": [{"race": race_of(**flags)}]}).races
    assert (race.is_draft, race.is_private, race.registration_open) == (True, False, False)


def test_absent_fields_of_a_race_are_like_null():
    """Trap 23; trap 30: without events=T there are none."""
    (race,) = read({"races": [{"race": {"race_id": "990001"}}]}).races
    assert (race.race_id, race.name, race.timezone, race.city, race.url, race.events) == (990001, "", "", "", "", ())


def test_a_description_may_be_long():
    """Trap 28."""
    page = read({"races": [{"race": race_of(description="<p>" * 200_000)}]})
    assert (len(page.races), page.rejected) == (1, ())


@pytest.mark.parametrize(
    "bad",
    [{"race_id": "x"}, {"race_id": None}, {"name": "a\x00b"}, {"name": "x" * 100_000}, {"events": {}}, {"name": {}}],
)
def test_one_bad_race_does_not_stop_the_others(bad):
    page = read({"races": [{"race": race_of(**bad)}, {"race": race_of(race_id=5)}]})
    assert [race.race_id for race in page.races] == [5]
    assert (len(page.rejected), page.size) == (1, 2)
    assert page.rejected[0].startswith("Race ")


@pytest.mark.parametrize("element", [{}, [], None, 5, {"race": None}, {"rase": {}}])
def test_an_element_that_is_no_race_is_rejected_alone(element):
    page = read({"races": [element, {"race": race_of()}]})
    assert ([race.race_id for race in page.races], len(page.rejected), page.size) == ([990001], 1, 2)


@pytest.mark.parametrize("bad", [{"event_id": "x"}, {"event_id": None}, {"name": "a\x00b"}, {"distance": {}}])
def test_one_bad_event_does_not_stop_its_race(bad):
    events = [example("race")["race"]["events"][0] | bad, example("race")["race"]["events"][1], 5]
    page = read({"races": [{"race": race_of(events=events)}]})
    (race,) = page.races
    assert [event.event_id for event in race.events] == [990102]
    assert len(race.rejected_events) == 2
    assert page.rejected == race.rejected_events
    assert "990001" in page.rejected[0]


def test_broken_bytes_spoil_only_their_race():
    """Fault 22."""
    good = body("race").strip()
    bad = good.replace(b"990001", b"990009").replace(b"Dash ", b"\xff")
    half = good.replace(b"990001", b"990008").replace(b"Dash ", b"\\ud800")
    page = read(b'{"races":[%s,%s,%s]}' % (bad, good, half))
    assert ([race.race_id for race in page.races], page.size, len(page.rejected)) == ([990001], 3, 2)


def test_what_fits_no_column_is_left_out():
    (race,) = read({"races": [{"race": race_of(timezone="z" * 65, address={"country_code": "United States"})}]}).races
    assert (race.timezone, race.country_code) == ("", "")
