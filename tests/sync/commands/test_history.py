"""`manage.py history`: who was bib 1207 at 07:30, and every change of one person."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from races.models import ParticipantChange
from tests.factories import CredentialFactory, EventFactory, ParticipantFactory, RaceFactory, TimingPartnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """08:00 in New York."""
    moment = datetime(2026, 6, 6, 12, 0, tzinfo=UTC)
    monkeypatch.setattr("sync.management.commands.history.database_now", lambda: moment)


@pytest.fixture
def race():
    key = CredentialFactory(partner=TimingPartnerFactory(slug="ridgeline"))
    return RaceFactory(credential=key, provider_race_id=974_559, name="Harbor Lights")


@pytest.fixture
def event(race):
    """Bib 1207: Ada until 07:12, Bo from 07:13 until he left at 07:40, nobody since."""
    event = EventFactory(race=race, provider_event_id=701_234, name="5K")
    ada = ParticipantFactory(event=event, registration_id=11, first_name="Ada", last_name="Tidewater", bib="1300")
    note(ada, "added", "06:00")
    note(ada, "changed", "07:12", bib=["1207", "1300"], email=["a@example.test", "b@example.test"])
    bo = ParticipantFactory(event=event, registration_id=12, first_name="Bo", last_name="Harper", bib="1207")
    note(bo, "added", "05:00")
    note(bo, "changed", "07:13", bib=["", "1207"])
    note(bo, "removed", "07:40", removed_reason=["", "deferred"])
    bo.removed_at = at("07:40")
    bo.save()
    return event


def at(local: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-06T{local}:00-04:00").astimezone(UTC)


def note(person, kind, local, **changes):
    ParticipantChange.objects.create(participant=person, kind=kind, at=at(local), changes=changes)


def ask(*arguments: str) -> str:
    out = io.StringIO()
    call_command("history", *arguments, stdout=out)
    return out.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        ask(*arguments)
    assert refused.value.returncode == 2
    return str(refused.value)


def test_who_had_a_bib_at_a_time_and_everybody_who_had_it(event):
    assert ask("1207", "--event", "701234", "--at", "07:30") == (
        "5K (701234) of Harbor Lights (974559)\n"
        "Bib 1207 at 07:30 EDT: Bo Harper (registration 12).\n"
        "Everybody who had bib 1207, the first one first:\n"
        "  06:00 EDT – 07:12 EDT  Ada Tidewater, registration 11, 5K, bib changed to 1300\n"
        "> 07:13 EDT – 07:40 EDT  Bo Harper, registration 12, 5K, withdrew\n"
    )


@pytest.mark.parametrize(
    ("time", "who"),
    [
        ("07:11", "Ada Tidewater (registration 11)"),
        ("07:12", "nobody"),
        ("2026-06-06T11:30Z", "Bo"),
        ("07:50", "nobody"),
    ],
)
def test_the_moment_of_a_change_belongs_to_what_comes_after_it(event, time, who):
    assert f"EDT: {who}" in ask("1207", "--event", "701234", "--at", time)


def test_a_whole_race_is_searched_when_no_event_is_named(event, race):
    other = EventFactory(race=race, name="10K")
    ParticipantFactory(event=other, registration_id=13, first_name="Cy", last_name="Far", bib="1207")

    said = ask("1207", "--race", "974559")

    assert "Cy Far, registration 13, 10K" in said
    assert "Bo Harper, registration 12, 5K" in said


@pytest.mark.parametrize("who", ["11", "tidewater", "Tidewater, Ada"])
def test_one_persons_changes_are_sentences_and_show_no_contact_data(event, who):
    said = ask(who, "--event", "701234", "--at", "07:00")

    assert said == (
        "5K (701234) of Harbor Lights (974559)\n"
        "Ada Tidewater, registration 11, 5K: registered, bib 1300 now\n"
        "At 07:00 EDT: Ada Tidewater, registered, bib 1207\n"
        "2 changes on record, the newest first:\n"
        "  07:12:00 EDT  Bib 1207 → 1300; email changed.\n"
        "  06:00:00 EDT  Registered.\n"
    )


def test_before_somebody_registered_they_were_nobody(event):
    assert "At 05:30 EDT: not registered yet" in ask("11", "--event", "701234", "--at", "05:30")


def test_several_people_of_a_name_are_listed_with_what_tells_them_apart(event):
    ParticipantFactory(event=event, registration_id=14, first_name="Ann", last_name="Tidewater", bib="")

    said = ask("tidewater", "--event", "701234")

    assert "2 people have such a name. Ask again with a registration:" in said
    assert "  11  Ada Tidewater, 5K, bib 1300\n  14  Ann Tidewater, 5K, no bib\n" in said


def test_that_nobody_is_found_is_an_answer(event):
    assert "Nobody here has or had the bib or registration 9999, or such a name." in ask("9999", "--event", "701234")
    assert "Nobody here" in ask("9" * 40, "--event", "701234")


def test_json_says_the_same_for_programs(event):
    answer = json.loads(ask("1207", "--event", "701234", "--at", "07:30", "--json"))

    assert (answer["race"], answer["events"], answer["at"]) == (974_559, [701_234], "2026-06-06T11:30:00+00:00")
    assert [(each["name"], each["held_at"], each["ended"]) for each in answer["holders"]] == [
        ("Ada Tidewater", False, "bib changed to 1300"),
        ("Bo Harper", True, "withdrew"),
    ]
    person = json.loads(ask("12", "--event", "701234", "--at", "07:10", "--json"))["people"][0]
    assert (person["then"]["bib"], person["now"]["registered"]) == ("", False)
    assert [change["kind"] for change in person["changes"]] == ["removed", "changed", "added"]
    assert json.loads(ask("zzz", "--event", "701234", "--json"))["holders"] == []


def test_wrong_arguments_say_what_to_write(event, race):
    RaceFactory(credential=race.credential, provider_race_id=5)
    assert "Say where: --event EVENT, or --race RACE" in refusal("1207")
    assert "No race or event has the id 99" in refusal("1207", "--event", "99")
    assert "No race has the id 99" in refusal("1207", "--race", "99")
    assert "Event 701234 is one of race 974559, not 5" in refusal("1207", "--event", "701234", "--race", "5")
    assert "is not a time" in refusal("1207", "--event", "701234", "--at", "soon")
    assert "lies ahead" in refusal("1207", "--event", "701234", "--at", "09:00")
    assert "Name a bib" in refusal(" ", "--event", "701234")
    assert "974559 is a race: name one of its events (701234 5K)" in refusal("1207", "--event", "974559")


def test_an_event_of_two_partners_asks_for_the_partner_and_a_race_names_it(event):
    EventFactory(provider_event_id=701_234, race=RaceFactory(provider_race_id=6))

    assert "add --partner SLUG" in refusal("1207", "--event", "701234")
    assert "Bo Harper" in ask("1207", "--event", "701234", "--partner", "ridgeline")
    assert "Nobody here" in ask("1207", "--event", "701234", "--race", "6")
