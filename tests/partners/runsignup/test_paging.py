"""All pages of a list: nobody skipped, no end without an end, and nothing half read as whole."""

import contextlib
import random
from datetime import date

import pytest

from partners.runsignup import paging
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.errors import Throttled, Unexpected
from tests.partners.runsignup.answers import ReplayTransport, answer, asked, client, page, participant, removed

TODAY = date(2026, 11, 23)


def light(registration_id):
    return {"registration_id": registration_id, "event_id": 6, "last_modified": 1795024929}


class Provider:
    """Registrations that come and go between two pages; `shuffled`: rows in any order within the page."""

    def __init__(self, ids, *, shuffled=False, between=lambda provider: None, wrap=page):
        self.ids = set(ids)
        self.shuffled = shuffled
        self.between = between
        self.wrap = wrap
        self.asked = []

    def get(self, path, params):
        self.asked.append(dict(params))
        after, size = int(params["after_registration_id"]), int(params["results_per_page"])
        rows = [light(number) for number in sorted(number for number in self.ids if number > after)[:size]]
        if self.shuffled:
            random.Random(8).shuffle(rows)
        self.between(self)
        return answer(self.wrap(*rows))


def walk(provider, **more):
    asker = RunSignUpClient(transport=provider, gate=contextlib.nullcontext)
    found = [
        row.registration_id
        for got in paging.participant_pages(asker, race_id=5, event_ids=[6], **more)
        for row in got.rows
    ]
    return found, asker


@pytest.mark.parametrize(("people", "calls"), [(0, 1), (1, 1), (999, 1), (1000, 2), (1001, 2), (2000, 3), (2500, 3)])
def test_a_page_shorter_than_asked_is_the_last(people, calls):
    """Trap 11."""
    found, asker = walk(Provider(range(1, people + 1)))
    assert (found, asker.calls) == (list(range(1, people + 1)), calls)


def test_nobody_is_skipped_when_rows_come_and_go_between_two_pages():
    """Trap 10, fault 13: counted offsets would skip one runner for each that left."""

    def churn(provider):
        provider.ids -= set(range(1, 101))
        provider.ids |= {9000 + len(provider.asked)}

    found, _asker = walk(Provider(range(1, 3001), between=churn))
    assert set(range(101, 3001)) <= set(found)
    assert {9001, 9002, 9003} <= set(found)
    assert len(found) == len(set(found))


def test_rows_in_any_order_within_a_page_are_all_found():
    found, _asker = walk(Provider(range(1, 2501), shuffled=True))
    assert sorted(found) == list(range(1, 2501))


def test_the_cursor_and_the_starting_point_go_along_on_every_page():
    """Trap 9."""
    provider = Provider(range(1, 1501))
    found, _asker = walk(provider, modified_after=1795024929, after_registration_id=100)
    assert found == list(range(101, 1501))
    assert [params["after_registration_id"] for params in provider.asked] == ["100", "1100"]
    assert {params["modified_after_timestamp"] for params in provider.asked} == {"1795024929"}


def test_the_same_page_for_ever_does_not_advance():
    """Trap 8, fault 12."""
    full = page(*[light(number) for number in range(1, 1001)])
    asker = client(full)
    with pytest.raises(Unexpected, match="pagination does not advance"):
        list(paging.participant_pages(asker, race_id=5, event_ids=[6]))
    assert asker.calls == 2


def test_a_full_page_without_a_readable_id_does_not_advance():
    asker = client(page(*[light("abc") for _ in range(1000)]))
    with pytest.raises(Unexpected, match="pagination does not advance"):
        list(paging.participant_pages(asker, race_id=5, event_ids=[6]))


def test_rejected_and_template_rows_count_for_the_size_of_a_page():
    """Trap 31, fault 22: a full page with a poison row is still a full page, and its ids lead on."""
    first = [
        light(-1),
        light("abc"),
        *[light(number) for number in range(1, 998)],
        {"registration_id": 998, "event_id": "x"},
    ]
    asker = client(page(*first), page(light(1200)))
    pages = list(paging.participant_pages(asker, race_id=5, event_ids=[6]))
    assert [got.size for got in pages] == [1000, 1]
    assert [len(got.rejected) for got in pages] == [2, 0]
    assert [params["after_registration_id"] for _path, params in asked(asker)] == ["0", "998"]


def test_rows_count_over_all_wrappers():
    """Contract §3.3: over all elements, not the first."""
    first = [
        *page(*[light(number) for number in range(1, 501)]),
        *page(*[light(number) for number in range(501, 1001)]),
    ]
    asker = client(first, page())
    assert sum(got.size for got in paging.participant_pages(asker, race_id=5, event_ids=[6])) == 1000
    assert asker.calls == 2


def test_an_error_after_the_first_page_ends_the_walk_with_the_error():
    """Traps 1 and 8: what was read so far is not the list."""
    asker = client(page(*[light(number) for number in range(1, 1001)]), {"error": {"error_code": 14}})
    pages = paging.participant_pages(asker, race_id=5, event_ids=[6])
    assert next(pages).size == 1000
    with pytest.raises(Throttled):
        next(pages)


def test_a_list_without_end_ends(monkeypatch):
    """Trap 8: bounded pages."""
    monkeypatch.setattr(paging, "MOST_PAGES", 3)
    with pytest.raises(Unexpected, match="had not ended after 3 pages"):
        walk(Provider(range(1, 10_000)))


def test_removals_are_walked_the_same_way():
    provider = Provider(range(1, 1501), wrap=removed)
    asker = RunSignUpClient(transport=provider, gate=contextlib.nullcontext)
    pages = list(paging.removed_pages(asker, race_id=5, event_ids=[6], modified_after=17))
    assert [row.registration_id for got in pages for row in got.rows] == list(range(1, 1501))
    assert [params["after_registration_id"] for params in provider.asked] == ["0", "1000"]
    stuck = client(removed(*[light(number) for number in range(1, 1001)]))
    with pytest.raises(Unexpected, match="does not advance"):
        list(paging.removed_pages(stuck, race_id=5, event_ids=[6], modified_after=None))


class Races:
    """Pages of races, `number` in all."""

    def __init__(self, number):
        self.number = number

    def get(self, path, params):
        first = (int(params["page"]) - 1) * 1000
        return answer({"races": [{"race": {"race_id": 1 + at}} for at in range(first, min(first + 1000, self.number))]})


def races_of(transport):
    asker = RunSignUpClient(transport=transport, gate=contextlib.nullcontext)
    return [race.race_id for got in paging.all_races(asker, start_date=TODAY) for race in got.races], asker.calls


@pytest.mark.parametrize(("number", "calls"), [(0, 1), (2, 1), (1000, 2), (1500, 2)])
def test_all_races_of_a_key_are_listed(number, calls):
    assert races_of(Races(number)) == (list(range(1, number + 1)), calls)


def test_nothing_of_the_public_catalogue_is_handed_on():
    """Contract §1.2: the guard speaks before the first page leaves."""
    asker = RunSignUpClient(transport=Races(50_000), gate=contextlib.nullcontext)
    with pytest.raises(Unexpected, match="public catalogue"):
        next(paging.all_races(asker, start_date=TODAY))
    assert asker.calls == 3


def test_the_same_page_of_races_for_ever_does_not_advance():
    """Fault 12."""
    with pytest.raises(Unexpected, match="pagination does not advance"):
        races_of(ReplayTransport([answer({"races": [{"race": {"race_id": 1 + at}} for at in range(1000)]})]))


def test_a_whole_person_passes_the_pages_unchanged():
    asker = client(page(participant(7000002)))
    (got,) = paging.participant_pages(asker, race_id=990001, event_ids=[990101])
    assert got.rows[0].registration_id == 7000002
