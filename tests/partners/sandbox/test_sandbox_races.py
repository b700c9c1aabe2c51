"""/races and /race/:id as contract §2 has them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from partners.runsignup.sandbox import World
from tests.partners.sandbox.caller import ANCHOR, Caller

EASTERN = ZoneInfo("America/New_York")


def ids(reply) -> list[int]:
    return [item["race"]["race_id"] for item in reply.json["races"]]


def past_only(world: World) -> int:
    return next(
        race.race_id for race in world.races.values() if all(e.starts_at < ANCHOR for e in race.events if e.starts_at)
    )


def renewed(world: World) -> int:
    """A race with last year's edition and one well ahead."""
    return next(
        race.race_id
        for race in world.races.values()
        if len({e.days_id for e in race.events}) == 2
        and (start := race.events[-1].starts_at)
        and (start - ANCHOR).days > 3
    )


def test_a_key_sees_its_own_races_and_nobody_elses(caller: Caller):
    for key in caller.world.keys.values():
        seen = ids(caller.get("races", key=key.key, start_date="2020-01-01"))
        assert sorted(seen) == sorted(key.race_ids)


def test_without_a_key_all_races_are_the_public_catalogue(caller: Caller):
    reply = caller.raw("/rest/races?format=json&start_date=2020-01-01")
    assert sorted(ids(reply)) == sorted(caller.world.races)


def test_past_races_are_hidden_unless_a_start_date_is_sent(caller: Caller):
    race_id = past_only(caller.world)
    key = caller.key_of(race_id)
    assert race_id not in ids(caller.get("races", key=key))
    assert race_id in ids(caller.get("races", key=key, start_date="2024-01-01"))
    assert race_id not in ids(caller.get("races", key=key, start_date="2024-01-01", end_date="2024-06-01"))
    assert caller.get("races", key=key, start_date="soon").json["error"]["error_code"] == 9


def test_events_come_only_with_events_t_and_then_those_of_the_newest_edition(caller: Caller):
    race_id = renewed(caller.world)
    key = caller.key_of(race_id)
    plain = caller.get("races", key=key).json["races"]
    assert all("events" not in item["race"] and "race_event_days" not in item["race"] for item in plain)
    asked = caller.get("races", key=key, events="T", include_event_days="T").json["races"]
    race = next(item["race"] for item in asked if item["race"]["race_id"] == race_id)
    assert {event["race_event_days_id"] for event in race["events"]} == {caller.world.races[race_id].events[-1].days_id}
    assert len(race["race_event_days"]) == 2
    assert race["last_date"] < race["next_date"] or race["last_date"][-4:] < race["next_date"][-4:]


def test_races_come_in_pages_of_50_and_never_more_than_1000(caller: Caller):
    key = next(iter(caller.world.keys))
    everybody = ids(caller.get("races", key=key))
    pages = [ids(caller.get("races", key=key, results_per_page=3, page=page)) for page in range(1, len(everybody))]
    assert [race_id for page in pages for race_id in page] == everybody
    assert ids(caller.get("races", key=key, results_per_page=5000)) == everybody
    assert caller.get("races", key=key, page=99).json == {"races": []}
    assert caller.get("races", key=key, results_per_page=0).json["error"]["error_code"] == 3


def test_get_race_lists_all_editions_unless_told_otherwise(caller: Caller):
    race_id = renewed(caller.world)
    race = caller.world.races[race_id]
    newest = {event.event_id for event in race.events if event.days_id == race.events[-1].days_id}
    oldest = {event.event_id for event in race.events} - newest

    def seen(**parameters: str) -> set[int]:
        return {event["event_id"] for event in caller.of_race(race_id, **parameters).json["race"]["events"]}

    assert seen() == newest | oldest
    assert seen(future_events_only="F", most_recent_events_only="F") == newest | oldest
    assert seen(future_events_only="T") == newest
    assert seen(most_recent_events_only="T") == newest
    assert seen(race_event_days_id=str(race.events[0].days_id)) == oldest


def test_questions_come_on_request_with_their_trailing_blank(caller: Caller):
    race_id = renewed(caller.world)
    assert "questions" not in caller.of_race(race_id).json["race"]
    questions = caller.of_race(race_id, include_questions="T").json["race"]["questions"]
    assert [question["question_text"] for question in questions] == [
        "Emergency Contact Name",
        "Emergency Contact Phone ",
    ]


def test_starts_are_race_local_and_everything_else_is_eastern(caller: Caller):
    race = next(race for race in caller.world.races.values() if race.timezone == "Pacific/Honolulu")
    shown = caller.of_race(race.race_id).json["race"]
    event = race.events[-1]
    listed = next(item for item in shown["events"] if item["event_id"] == event.event_id)
    assert event.starts_at is not None
    local = event.starts_at.astimezone(ZoneInfo("Pacific/Honolulu"))
    assert listed["start_time"] == f"{local.month}/{local.day}/{local.year} {local:%H:%M}"
    eastern = race.modified.astimezone(EASTERN)
    assert shown["last_modified"] == f"{eastern.month}/{eastern.day}/{eastern.year} {eastern:%H:%M}"
    closes = listed["registration_periods"][0]["registration_closes"]
    # 22:00 in Honolulu is the small hours of the next day in the East.
    assert closes.endswith((" 03:00", " 04:00"))
    assert shown["timezone"] == "Pacific/Honolulu"


def test_public_races_answer_without_any_key_but_their_people_do_not(caller: Caller):
    race_id = renewed(caller.world)
    assert caller.raw(f"/rest/race/{race_id}?format=json").json["race"]["race_id"] == race_id
    event_id = caller.world.races[race_id].events[0].event_id
    refused = caller.raw(f"/rest/race/{race_id}/participants?format=json&event_id={event_id}")
    assert refused.json["error"]["error_code"] == 7


def test_a_moved_a_missing_and_a_cancelled_start_are_seen(caller: Caller):
    race_id = renewed(caller.world)
    event_id = caller.world.races[race_id].events[-1].event_id

    def listed() -> dict[int, dict]:
        return {event["event_id"]: event for event in caller.of_race(race_id).json["race"]["events"]}

    caller.tell("change", kind="start", event_id=event_id, start_time="6/6/2026 09:15")
    assert listed()[event_id]["start_time"] == "6/6/2026 09:15"
    assert caller.of_race(race_id).json["race"]["last_modified"] == "6/6/2026 06:00"
    caller.tell("change", kind="start", event_id=event_id, start_time=None)
    assert listed()[event_id]["start_time"] is None
    caller.tell("change", kind="cancel", event_id=event_id)
    assert event_id not in listed()
    assert caller.participants(event_id).json["error"]["error_code"] == 301
