"""/participants, /removed-participants and /participant-counts as contract §3 has them."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime
from zoneinfo import ZoneInfo

from partners.runsignup.sandbox import World
from tests.partners.sandbox.caller import Caller, Clock, sibling_of

EASTERN = ZoneInfo("America/New_York")


def active(world: World, *event_ids: int) -> list[int]:
    rows = [entry for event_id in event_ids for entry in world.truth(event_id) if entry["state"] == "active"]
    return sorted(entry["registration_id"] for entry in rows)


def test_the_rows_are_the_truth_field_by_field(caller: Caller):
    """Every event of the world: what the API says with all blocks is what the truth says."""
    for event_id in caller.world.events:
        reply = caller.participants(
            event_id, include_questions="T", include_user_anonymous_flag="T", include_registration_addons="T"
        )
        truth = [entry["row"] for entry in caller.sandbox(f"truth?event_id={event_id}") if entry["state"] == "active"]
        assert reply.rows == truth
        gone = [entry["removed_row"] for entry in caller.world.truth(event_id) if entry["state"] == "removed"]
        removed = caller.removed(event_id).removed
        for row in gone:
            row["user"].pop("is_anonymous")
        assert removed == gone


def test_rows_hang_on_the_outer_participants_and_removed_ones_inside_the_event(caller: Caller, event_id: int):
    caller.tell("change", kind="withdraw", event_id=event_id)
    for wrapper in caller.participants(event_id).json:
        assert wrapper["event"]["participants"] == []
    (wrapper,) = caller.removed(event_id).json
    assert "participants" not in wrapper
    assert all("event_id" not in row and "bib_num" not in row for row in wrapper["event"]["participants"])


def test_rows_of_several_events_hang_on_the_last_wrapper_in_some_races_and_on_their_own_in_others(caller: Caller):
    seen = set()
    for race in caller.world.races.values():
        events = [event.event_id for event in race.events if any(r.is_active for r in event.registrations)]
        if len(events) < 2:
            continue
        reply = caller.participants(*events)
        assert sorted(row["registration_id"] for row in reply.rows) == active(caller.world, *events)
        assert [wrapper["event"]["event_id"] for wrapper in reply.json] == events
        places = [[row["event_id"] for row in wrapper.get("participants") or []] for wrapper in reply.json]
        grouped = all(set(place) == {event_id} for place, event_id in zip(places, events, strict=True))
        assert grouped or not any(places[:-1])
        seen.add(grouped)
    assert seen == {True, False}


def test_no_rows_come_in_three_shapes(caller: Caller):
    shapes = set()
    for race in caller.world.races.values():
        event = race.events[0]
        (wrapper,) = caller.participants(event.event_id, after_registration_id=99_999_999).json
        assert wrapper["event"] == {"event_id": event.event_id, "participants": []}
        shapes.add(json.dumps(wrapper.get("participants", "absent")))
    assert shapes == {'"absent"', "[]", "null"}


def test_nobody_removed_comes_in_three_shapes(caller: Caller):
    shapes = set()
    for race in caller.world.races.values():
        (wrapper,) = caller.removed(race.events[0].event_id, modified_after_timestamp=4_000_000_000).json
        wrapper.get("event", {}).pop("event_id", None)
        shapes.add(json.dumps(wrapper))
    assert shapes == {"{}", '{"event": {}}', '{"event": {"participants": []}}'}


def test_keyset_pages_visit_everybody_once(caller: Caller, event_id: int):
    seen: list[int] = []
    while rows := caller.participants(
        event_id,
        results_per_page=3,
        sort="registration_id ASC",
        after_registration_id=seen[-1] if seen else 0,
    ).rows:
        assert len(rows) <= 3
        seen += [row["registration_id"] for row in rows]
    assert seen == active(caller.world, event_id)


def test_somebody_who_leaves_between_two_pages_hides_nobody_from_the_keyset(caller: Caller, event_id: int):
    first = [row["registration_id"] for row in caller.participants(event_id, results_per_page=3).rows]
    caller.tell("change", kind="withdraw", registration_id=first[0])
    new = caller.tell("change", kind="register", event_id=event_id).json["registration_ids"]
    rest = [row["registration_id"] for row in caller.participants(event_id, after_registration_id=first[-1]).rows]
    assert sorted(first[1:] + rest) == active(caller.world, event_id)
    assert new[0] in rest


def test_offset_pages_and_sorting_work_too(caller: Caller, event_id: int):
    people = active(caller.world, event_id)
    assert [row["registration_id"] for row in caller.participants(event_id, results_per_page=4, page=2).rows] == people[
        4:8
    ]
    down = caller.participants(event_id, sort="registration_id DESC").rows
    assert [row["registration_id"] for row in down] == people[::-1]
    names = [row["user"]["last_name"] for row in caller.participants(event_id, sort="last_name ASC").rows]
    assert names == sorted(names)
    assert caller.participants(event_id, sort="shoe_size").json["error"]["error_code"] == 3


def test_a_page_has_50_rows_by_default_and_2500_at_most(caller: Caller, event_id: int):
    for _ in range(2600):
        caller.world.change("register", event_id=event_id)
    assert len(caller.participants(event_id, results_per_page="").rows) == 50
    assert len(caller.participants(event_id, results_per_page=5000).rows) == 2500


def test_the_cursor_is_inclusive_and_counts_seconds(caller: Caller, clock: Clock, event_id: int):
    clock.at += 100.7
    changed = caller.tell("change", kind="edit", event_id=event_id, user={"last_name": "Newname"}).json
    (registration_id,) = changed["registration_ids"]
    moment = int(clock.at)
    rows = caller.participants(event_id, modified_after_timestamp=moment).rows
    assert [(row["registration_id"], row["last_modified"]) for row in rows] == [(registration_id, moment)]
    assert caller.participants(event_id, modified_after_timestamp=moment + 1).rows == []


def test_a_cursor_as_a_date_text_matches_nothing_without_a_word(caller: Caller, event_id: int):
    assert caller.participants(event_id, modified_after_timestamp="2020-01-01 00:00:00").rows == []


def test_texts_of_time_are_eastern_in_two_formats(caller: Caller, event_id: int):
    caller.tell("change", kind="withdraw", event_id=event_id)
    for row in caller.participants(event_id).rows:
        registered = caller.world.registrations[row["registration_id"]].registered
        eastern = datetime.fromtimestamp(registered, EASTERN)
        assert row["registration_date"] == f"{eastern.month}/{eastern.day}/{eastern.year} {eastern:%H:%M}"
    for row in caller.removed(event_id).removed:
        assert row["last_modified"] == f"{datetime.fromtimestamp(row['last_modified_ts'], EASTERN):%Y-%m-%d %H:%M:%S}"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["registration_date"])


def test_x_is_withheld_without_supports_nb_as_null_or_absent(caller: Caller):
    withheld = set()
    for event_id in caller.world.events:
        told = {row["registration_id"]: row for row in caller.participants(event_id).rows}
        for row in caller.participants(event_id, supports_nb="F").rows:
            if told[row["registration_id"]]["user"]["gender"] == "X":
                withheld.add(row["user"].get("gender", "absent"))
    assert withheld == {None, "absent"}


def test_optional_blocks_come_only_when_asked_for(caller: Caller, event_id: int):
    plain = caller.participants(event_id).rows[0]
    assert "question_responses" not in plain
    assert "participant_addons" not in plain
    assert "is_anonymous" not in plain["user"]
    asked = caller.participants(
        event_id, include_questions="T", include_user_anonymous_flag="T", include_registration_addons="T"
    ).rows[0]
    assert {"question_responses", "participant_addons"} <= set(asked)
    assert asked["user"]["is_anonymous"] in ("T", "F")


def test_the_template_row_comes_only_when_somebody_is_careless_enough_to_ask(caller: Caller, event_id: int):
    assert -1 not in [row["registration_id"] for row in caller.participants(event_id).rows]
    asked = caller.participants(event_id, include_template_participant="T").rows
    assert [row["registration_id"] for row in asked].count(-1) == 1


def test_condensed_removals_carry_only_ids_and_reason(caller: Caller, event_id: int):
    caller.tell("change", kind="withdraw", event_id=event_id, reason="cleared")
    for row in caller.removed(event_id, condensed_format="T").removed:
        assert set(row) == {"registration_id", "last_modified_ts", "removed_reason", "new_registration_id"}


def test_counts_are_those_who_are_active(caller: Caller, event_id: int):
    sibling = sibling_of(caller.world, event_id)
    caller.tell("change", kind="transfer", event_id=event_id, to_event_id=sibling)
    race_id = caller.world.events[event_id].race.race_id
    reply = caller.of_race(race_id, "participant-counts", event_id=f"{event_id},{sibling}").json
    assert reply["participant_counts"] == [
        {"event_id": event_id, "num_participants": len(active(caller.world, event_id))},
        {"event_id": sibling, "num_participants": len(active(caller.world, sibling or 0))},
    ]


def test_slashes_and_accents_are_escaped_the_way_php_does(caller: Caller, event_id: int):
    body = caller.participants(event_id).body
    assert rb"\/" in body
    assert not re.search(rb"[^\\]/", body)
    assert body.isascii()
    assert caller.participants(event_id).headers["content-type"] == "application/json; charset=utf-8"


def test_gzip_is_sent_when_it_is_accepted(caller: Caller, event_id: int):
    key = caller.world.keys[caller.key_of(caller.world.events[event_id].race.race_id)]
    path = (
        f"/rest/race/{caller.world.events[event_id].race.race_id}/participants?format=json&event_id={event_id}"
        f"&api_key={key.key}&api_secret={key.secret}"
    )
    plain, packed = caller.raw(path), caller.raw(path, headers={"Accept-Encoding": "gzip, deflate"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 3
    assert gzip.decompress(packed.body) == plain.body


ROW = """
    user registration_id event_id rsu_transaction_id transaction_id bib_num chip_num age registration_date
    team_id team_name team_type_id team_type team_gender team_bib_num last_modified imported
    race_fee offline_payment_amount processing_fee processing_fee_paid_by_user processing_fee_paid_by_race
    partner_fee affiliate_profit extra_fees amount_paid usatf_discount_amount_in_cents
    usatf_discount_additional_field giveaway giveaway_option_id question_responses
"""
REMOVED_ROW = """
    user registration_id age registration_date last_modified last_modified_ts imported
    race_fee processing_fee processing_fee_paid_by_user processing_fee_paid_by_race amount_paid
    removed_reason new_registration_id
"""


def test_rows_have_the_fields_of_the_contracts_examples_in_their_order(caller: Caller, event_id: int):
    caller.tell("change", kind="defer", event_id=event_id)
    row = caller.participants(event_id, include_questions="T").rows[0]
    assert list(row) == ROW.split()
    assert list(caller.removed(event_id).removed[0]) == REMOVED_ROW.split()
