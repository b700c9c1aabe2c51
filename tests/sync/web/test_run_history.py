"""The history of runs: what each filter finds, in an order that new runs do not disturb, within a bound."""

from __future__ import annotations

import csv
import io
import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sync.models import Cycle, SyncRun
from sync.web import run_history
from sync.web.run_filters import filters_read
from sync.web.run_history import Wanted, runs_all, runs_found
from tests.factories import EventFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

REFUSED = "RunSignUp gives this key no access: the race director must add the timing company (error 7: Access denied)."


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.run_views.database_now", lambda: now)


@pytest.fixture
def page(log_in, staff):
    client = log_in(staff)

    def shown(query: str = "", *, status: int = 200) -> str:
        response = client.get(f"{reverse('runs')}?{query}")
        assert response.status_code == status
        return response.content.decode()

    return shown


@pytest.fixture
def table(log_in, staff):
    """The rows of the CSV as dictionaries."""

    def rows(query: str = "") -> list[dict[str, str]]:
        response = log_in(staff).get(f"{reverse('runs_csv')}?{query}")
        assert response.status_code == 200
        text = b"".join(response.streaming_content).decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text)))

    return rows


def found(query: str) -> list[int]:
    filters = filters_read(QueryDict(query))
    assert filters.problems == ()
    return list(runs_found(filters.wanted, before=None, limit=50).pks)


@pytest.mark.parametrize("name", ["runs", "runs_csv", "cycles"])
def test_the_history_exists_for_staff_only(name, log_in, staff, director, member, stranger):
    for user in (director, member, stranger):
        assert log_in(user).get(reverse(name)).status_code == 404
    assert Client().get(reverse(name)).status_code == 302
    assert log_in(staff).get(reverse(name)).status_code == 200


def test_operations_leads_to_runs_and_cycles(log_in, staff):
    text = log_in(staff).get(reverse("operations")).content.decode()

    assert f'href="{reverse("runs")}"' in text
    assert f'href="{reverse("cycles")}"' in text


def test_a_run_says_what_it_did_and_what_the_provider_said(page, scheduled, run_of, now):
    event = scheduled("10K")
    run_of(
        event, outcome="refused", error_text=REFUSED, calls=3, added=2, changed=1, removed=4, rejected=5,
        due_at=now - timedelta(seconds=47),
    )  # fmt: skip

    row = page().split("<tbody>")[1]

    assert "Refused" in row
    assert "the race director must add the timing company.</span>" in row
    assert "<q>Access denied</q> (error 7)" in row
    assert "+2 ~1 −4" in row
    assert "5 rejected" in row
    assert 'data-label="Calls">3<' in row
    assert "7 s late" in row
    assert 'data-label="Took">1.5 s <' in row
    assert reverse("event_page", args=[event.race_id, event.pk]) in row
    assert reverse("race_page", args=[event.race_id]) in row


def test_each_filter_finds_its_runs_and_no_others(scheduled, run_of, race, now):
    mine, sister = scheduled("5K"), scheduled("10K")
    foreign = EventFactory(race=RaceFactory())
    cycle = Cycle.objects.create(started_at=now)
    good = run_of(mine, ago=timedelta(minutes=1), outcome="ok", tier="HIGH", cycle=cycle)
    bad = run_of(sister, ago=timedelta(minutes=2), outcome="failed", tier="LOW")
    asked = run_of(foreign, ago=timedelta(minutes=3), outcome="unchanged", trigger="manual", tier="MEDIUM")
    running = run_of(
        foreign, ago=timedelta(minutes=4), outcome="", finished_at=None, lease_until=now + timedelta(minutes=1)
    )

    def pks(*runs: SyncRun) -> list[int]:
        return [run.pk for run in runs]

    assert found("") == pks(good, bad, asked, running)
    assert found(f"partner={race.partner.slug}") == pks(good, bad)
    assert found(f"race={race.provider_race_id}") == pks(good, bad)
    assert found(f"event={sister.provider_event_id}") == pks(bad)
    assert found(f"cycle={cycle.pk}") == pks(good)
    assert found("outcome=ok") == pks(good)
    assert found("outcome=failed") == found("outcome=problem") == pks(bad)
    assert found("outcome=lost") == []
    assert found("outcome=running") == pks(running)
    assert found("trigger=manual") == pks(asked)
    assert found("trigger=scheduled") == pks(good, bad, running)
    assert found("tier=LOW") == pks(bad)
    assert found("from=2026-06-06T09:57:30") == pks(good, bad)
    assert found("to=2026-06-06 09:57:30Z") == pks(asked, running)
    assert found("from=2026-06-06&to=2026-06-06") == pks(good, bad, asked, running)
    assert found("to=2026-06-05") == []


def test_filters_are_all_applied_at_once(scheduled, run_of, race):
    mine, sister = scheduled("5K"), scheduled("10K")
    wanted = run_of(mine, outcome="failed", trigger="manual", tier="HIGH")
    for event, fields in [
        (mine, {"outcome": "failed", "trigger": "manual", "tier": "LOW"}),
        (mine, {"outcome": "failed", "trigger": "scheduled", "tier": "HIGH"}),
        (mine, {"outcome": "ok", "trigger": "manual", "tier": "HIGH"}),
        (sister, {"outcome": "failed", "trigger": "manual", "tier": "HIGH"}),
        (EventFactory(), {"outcome": "failed", "trigger": "manual", "tier": "HIGH"}),
    ]:
        run_of(event, **fields)

    query = "outcome=failed&trigger=manual&tier=HIGH&from=2026-06-01&to=2026-06-30"
    assert found(
        f"{query}&partner={race.partner.slug}&race={race.provider_race_id}&event={mine.provider_event_id}"
    ) == [wanted.pk]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("partner=nobody", "There is no timing partner “nobody”"),
        ("race=abc", "“abc” is not the id of a race"),
        ("race=99999999999999999999999", "is not the id of a race"),
        ("event=%00%F0%9F%8F%83", "is not the id of an event"),
        ("event=12", "No event “12” is known"),
        ("outcome=great", "There is no outcome “great”"),
        ("trigger=x%27%3B--", "There is no way of being asked for"),
        ("tier=high", "There is no tier “high”"),
        ("from=yesterday", "“From” is not a time: “yesterday”"),
        ("to=9999-12-31", "“To” is not a time"),
        ("from=0001-01-01T00:00%2B14:00", "“From” is not a time"),
        ("from=2026-06-06&to=2026-06-01", "“From” is not before “To”"),
        ("before=whatever", "The link to older rows is damaged"),
        ("cycle=5", "There is no cycle 5"),
        ("race=<script>", "“&lt;script&gt;” is not the id of a race"),
    ],
)  # fmt: skip
def test_a_bad_value_is_answered_with_what_is_wrong(page, log_in, staff, query, said):
    assert said in page(query, status=400)
    assert log_in(staff).get(f"{reverse('runs_csv')}?{query}").status_code == 400


def test_all_that_is_wrong_is_said_at_once_and_what_was_typed_stays(page):
    text = page("race=abc&from=yesterday", status=400)

    assert "not the id of a race" in text
    assert "is not a time" in text
    assert 'value="abc"' in text
    assert 'value="yesterday"' in text


def test_a_page_without_runs_says_so(page, scheduled, run_of):
    assert "Nothing ran yet" in page()
    run_of(scheduled())
    assert "No run is like this" in page("outcome=failed")


def older_link(text: str) -> str:
    return re.search(r'href="\?([^"]*)" rel="next"', text)[1].replace("&amp;", "&")


def started(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><time datetime="([^"]+)"', text)


def test_older_runs_follow_without_gap_or_repeat_while_new_ones_come(page, scheduled, run_of):
    event = scheduled()
    for seconds in range(120):
        run_of(event, ago=timedelta(seconds=100 + seconds))
    first = page("tier=HIGH")

    for _ in range(7):
        run_of(event, ago=timedelta(seconds=1))
    second = page(older_link(first))
    third = page(older_link(second))

    times = started(first) + started(second) + started(third)
    assert len(times) == len(set(times)) == 120
    assert times == sorted(times, reverse=True)
    assert 'rel="next"' not in third
    assert "tier=HIGH" in older_link(first)


def test_runs_that_began_in_the_same_moment_are_each_shown_once(scheduled, run_of, race):
    events = [scheduled(f"Event {number}") for number in range(4)]
    runs = {run_of(event).pk for event in events for _ in range(5)}

    for wanted in (
        Wanted(),
        Wanted(event_ids=tuple(event.pk for event in events)),
        Wanted(outcomes=("unchanged",)),
    ):
        seen = [pk for part in runs_all(wanted, before=None, at_once=3) for pk in part]
        assert len(seen) == 20
        assert set(seen) == runs


@pytest.mark.parametrize(
    "wanted",
    [{}, {"outcomes": ("failed",)}, {"trigger": "manual"}, {"tier": "LOW"}, {"tier": "LOW", "outcomes": ("ok",)}],
)
@pytest.mark.parametrize("scope", ["all", "one", "some", "many"])
def test_a_search_that_looks_at_few_rows_at_a_time_still_finds_all(monkeypatch, scheduled, run_of, wanted, scope):
    """Whatever the bound of one look is, going on from where it ended misses nothing."""
    monkeypatch.setattr(run_history, "LOOKED_AT", 12)
    monkeypatch.setattr(run_history, "LOOKED_AT_FAR_APART", 5)
    monkeypatch.setattr(run_history, "LEAST_OF_EACH", 4)
    events = [scheduled(f"Event {number}") for number in range(5)]
    for number in range(60):
        run_of(
            events[number * number % 5],
            ago=timedelta(seconds=number // 2),
            outcome="failed" if number % 7 == 0 else "ok",
            trigger="manual" if number % 5 == 0 else "scheduled",
            tier="LOW" if number % 9 == 0 else "HIGH",
        )
    ids = {"all": None, "one": [events[0].pk], "some": [e.pk for e in events[:3]], "many": [e.pk for e in events]}[
        scope
    ]
    expected = SyncRun.objects.order_by("-started_at", "-pk")
    expected = expected if ids is None else expected.filter(event__in=ids)
    for name, value in wanted.items():
        expected = expected.filter(**({"outcome__in": value} if name == "outcomes" else {name: value}))

    seen = list(runs_all(Wanted(event_ids=None if ids is None else tuple(ids), **wanted), before=None, at_once=4))

    assert [pk for part in seen for pk in part] == list(expected.values_list("pk", flat=True))


def test_a_page_that_did_not_look_at_everything_says_back_to_when(monkeypatch, page, scheduled, run_of):
    monkeypatch.setattr(run_history, "LOOKED_AT", 10)
    event = scheduled()
    for minutes in range(15):
        run_of(event, ago=timedelta(minutes=minutes))
    run_of(event, ago=timedelta(minutes=20), tier="LOW")

    text = page("tier=LOW")

    assert "None from here back to 09:51:00 UTC" in text
    assert "Look further back" in text
    assert len(started(page(older_link(text)))) == 1


def test_the_csv_holds_every_run_of_the_filters(monkeypatch, table, scheduled, run_of):
    monkeypatch.setattr("sync.web.run_page.ROWS_AT_ONCE", 4)
    event = scheduled("10K")
    for number in range(11):
        run_of(event, ago=timedelta(minutes=number), outcome="ok", added=number)
    run_of(scheduled("5K"), outcome="failed", error_text=REFUSED)

    rows = table(f"event={event.provider_event_id}")

    assert [row["Added"] for row in rows] == [str(number) for number in range(11)]
    assert rows[0]["Started"] == "2026-06-06 10:00:00 UTC"
    assert rows[0]["Event ID"] == str(event.provider_event_id)
    (bad,) = table("outcome=problem")
    assert bad["Outcome"] == "Failed"
    assert bad["Provider's Words"] == "Access denied"
    assert bad["Code"] == "error 7"
    assert len(table()) == 12


def test_no_cell_of_the_csv_is_a_formula(table, run_of):
    event = EventFactory(name="=HYPERLINK(1)", race=RaceFactory(name="+1\n2"))
    run_of(event, outcome="failed", error_text="@SUM(A1)\r\n;=2")

    (row,) = table()

    assert row["Event"] == "'=HYPERLINK(1)"
    assert row["Race"] == "'+1 2"
    assert row["Error"] == "'@SUM(A1) ;'=2"


@pytest.mark.parametrize("query", ["", "outcome=problem", "tier=HIGH", "partner", "race"])
def test_a_page_asks_the_same_for_1_and_for_50_runs(log_in, staff, scheduled, run_of, race, query):
    query = {"partner": f"partner={race.partner.slug}", "race": f"race={race.provider_race_id}"}.get(query, query)
    event = scheduled()
    run_of(event, outcome="failed", error_text=REFUSED)
    client = log_in(staff)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"{reverse('runs')}?{query}").status_code == 200
        return len(captured)

    before = queries()
    for number in range(49):
        other = EventFactory(race=race if number % 2 else RaceFactory(credential=race.credential))
        run_of(other, outcome="failed", error_text=REFUSED)

    assert queries() <= before + 1
    assert before <= 12


def test_an_index_answers_each_filter_that_finds_few(scheduled, run_of):
    """What a planner with statistics would choose, asked of one that may not read the whole table."""
    event = scheduled()
    SyncRun.objects.bulk_create(
        SyncRun(event=event, visit=uuid.uuid4(), started_at=run_of(event).started_at, outcome="unchanged")
        for _ in range(3)
    )
    expected = {
        "outcome IN ('throttled', 'failed', 'refused', 'gone', 'lost')": "run_latest_bad",
        "trigger <> 'scheduled'": "run_latest_asked",
    }
    for wanted in (Wanted(outcomes=("gone",)), Wanted(trigger="discovery")):
        condition, params = run_history._stream(wanted)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(
                f"EXPLAIN SELECT id FROM sync_syncrun WHERE {condition} ORDER BY started_at DESC, id DESC LIMIT 5",
                params,
            )
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert expected[condition] in plan
