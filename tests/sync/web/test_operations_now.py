"""The staff page says at one look whether the promise is held, who has to act, and what runs."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse

from partners.models import ApiUsage, CallBudget, Credential
from races.models import HeldRemoval
from sync.models import Backfill, BackfillStep, Cycle, Heartbeat
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def shown(log_in, staff):
    """The text of the page or of one of its parts, without white space in rows."""
    client = log_in(staff)

    def text(name: str = "operations", **headers) -> str:
        response = client.get(reverse(name), headers=headers)
        assert response.status_code == 200
        return " ".join(unescape(response.content.decode()).split())

    return text


def sentence_of(page: str) -> str:
    return page.split('<div class="sentence"')[1].split("</div>")[0]


def tier_of(page: str, name: str) -> str:
    return page.split(f'data-tier="{name}"')[1].split("</tr>")[0]


def test_while_nothing_is_late_the_sentence_says_that_the_promise_is_held(shown, scheduled):
    scheduled()

    page = shown()

    assert 'data-kind="good"' in sentence_of(page)
    assert "Scheduler alive</strong> and the promise is held: no event is late." in page
    assert "Needs somebody" not in page


def test_a_late_high_event_is_the_sentence_with_its_lateness_and_reason(shown, scheduled, now):
    event = scheduled("10K", due_at=now - timedelta(minutes=7), picked_at=now - timedelta(minutes=6))
    scheduled("5K", due_at=now - timedelta(seconds=70))
    scheduled("Mile", due_at=now - timedelta(seconds=50))

    page = shown()

    said = "2 HIGH events are late, the oldest is 10K of Casco Bay Races, 7 min late: handed to its key's lane at"
    assert f"Promise not held:</strong> {said}" in page
    assert 'data-kind="bad"' in sentence_of(page)
    assert "and no lane works" in tier_of(page, "HIGH")
    assert 'data-label="Late now">2<' in tier_of(page, "HIGH")
    assert reverse("event_page", args=[event.race_id, event.pk]) in page.split("Needs somebody")[1].split("</ul>")[0]


def test_an_event_whose_tries_fail_is_late_though_its_next_try_lies_ahead(shown, scheduled, run_of, now):
    event = scheduled(failures=3, due_at=now + timedelta(minutes=2), checked_at=now - timedelta(minutes=12))
    run_of(event, outcome="failed", error_text="RunSignUp is unavailable (HTTP 503).")

    high = tier_of(shown(), "HIGH")

    assert "its list is 12 min old: RunSignUp is unavailable (HTTP 503)" in high


def test_lateness_is_measured_against_the_period_of_the_events_tier(shown, scheduled, now):
    scheduled("Half", tier="MEDIUM", due_at=now - timedelta(minutes=4))
    scheduled("Full", tier="LOW", due_at=now - timedelta(minutes=50))
    assert "the promise is held" in shown()

    scheduled("Ultra", tier="LOW", due_at=now - timedelta(minutes=61))
    page = shown()

    assert "HIGH on time:</strong> the scheduler is alive, but 1 LOW event is late." in page
    assert 'data-label="Late now">0<' in tier_of(page, "MEDIUM")
    assert "Ultra" in tier_of(page, "LOW")
    assert "1 h 1 min late" in tier_of(page, "LOW")


def test_what_is_switched_off_on_purpose_is_not_late(shown, race, scheduled, now):
    scheduled(due_at=now - timedelta(hours=9))
    Credential.objects.update(status="paused")
    assert "the promise is held" in shown()


def test_a_refused_key_needs_somebody_and_breaks_the_promise_of_its_high_events(shown, race, scheduled, now):
    scheduled(due_at=now - timedelta(minutes=9))
    scheduled("Far", tier="LOW", due_at=now - timedelta(minutes=9))
    Credential.objects.update(status="refused", status_detail="invalid API key")

    page = shown()

    assert "1 HIGH event cannot be synced, because RunSignUp refuses the key." in sentence_of(page)
    todo = page.split("Needs somebody")[1].split("</ul>")[0]
    assert (
        f"RunSignUp refuses the key {race.credential}: invalid API key. 2 events wait for it, 1 of them HIGH." in todo
    )
    assert reverse("admin:partners_credential_change", args=[race.credential_id]) in todo


def test_a_refused_key_of_less_urgent_events_is_no_held_promise_either(shown, scheduled, now):
    scheduled("Far", tier="LOW", due_at=now - timedelta(minutes=9))
    Credential.objects.update(status="refused")

    said = "but 1 event cannot be synced, because RunSignUp refuses the key."
    assert f"HIGH on time:</strong> the scheduler is alive, {said}" in shown()


def test_a_key_whose_calls_are_nearly_used_up_says_so(shown, race, now):
    ApiUsage.objects.create(credential=race.credential, minute=now - timedelta(minutes=3), calls=900)

    assert "nearly spent</span>" in shown("operations_keys")


def test_a_silent_scheduler_and_held_removals_are_in_one_list_of_what_somebody_must_do(shown, scheduled, now):
    held = HeldRemoval.objects.create(event=scheduled(), registration_ids=[1, 2], listed_before=5, found_at=now)
    Heartbeat.objects.update(beat_at=now - timedelta(minutes=19))

    page = shown()

    todo = page.split("Needs somebody")[1].split("</ul>")[0]
    assert "No cycle ran since 09:41:00 UTC. Start the cluster, or restart it: manage.py cluster" in todo
    assert "Needs a decision: 2 of 5 people of 5K, Casco Bay Races, are missing" in todo
    assert reverse("admin:races_heldremoval_change", args=[held.pk]) in todo
    assert 'class="sentence"' not in page


def test_the_last_cycle_is_at_the_top_in_numbers(shown, now):
    Cycle.objects.create(started_at=now - timedelta(seconds=99), high_due=1)
    last = {"high_due": 60, "high_picked": 50, "high_deferred": 10, "calls": 7, "ok": 2}
    Cycle.objects.create(started_at=now, finished_at=now + timedelta(seconds=0.25), **last)

    page = shown()

    high = tier_of(page, "HIGH")
    assert [f'data-label="{name}">{number}<' in high for name, number in (("Due", 60), ("Picked", 50))] == [True] * 2
    assert 'data-label="Deferred">10<' in high
    assert "0.25 s" in page
    assert "7 calls so far: 2 updated" in page


def test_a_cycle_over_a_minute_is_a_warning(shown, now):
    Cycle.objects.create(started_at=now - timedelta(seconds=80), finished_at=now - timedelta(seconds=10))

    page = shown()

    assert "HIGH on time:</strong> the scheduler is alive, but the last cycle took too long." in page
    assert "The last cycle took 70 s; HIGH events are due every minute." in page


def test_what_runs_now_names_the_key_the_race_and_since_when(shown, race, scheduled, run_of, now):
    idle, dead = CredentialFactory(label="spare"), CredentialFactory(label="dead")
    leased, ended = now + timedelta(seconds=30), now - timedelta(seconds=1)
    for key, until in ((race.credential, leased), (idle, leased), (dead, ended)):
        CallBudget.objects.create(credential=key, lane_lease_until=until)
    run_of(scheduled(), ago=timedelta(seconds=3), outcome="", finished_at=None, lease_until=leased)
    run_of(scheduled("Old"), outcome="", finished_at=None, lease_until=ended)

    running = shown("operations_live").split('id="running-box"')[1].split("</table>")[0]

    assert f">{race.credential}</a>" in running
    assert "Casco Bay Races</a>" in running
    assert 'data-label="Since"><time datetime="2026-06-06T09:59:57+00:00">09:59:57 UTC' in running
    assert f"{idle}</a></th> <td colspan" in running
    assert "between two races" in running
    assert str(dead) not in running
    assert running.count("<tr>") == 3


def test_an_open_backfill_shows_how_far_it_is_and_that_its_process_ended(shown, race, now):
    load = Backfill.objects.create(partner=race.partner, started_at=now, lease_until=now + timedelta(seconds=9))
    BackfillStep.objects.create(backfill=load, race=race, status="done", rows=1234)
    BackfillStep.objects.create(backfill=load, race=RaceFactory())
    Backfill.objects.create(status="done", started_at=now)
    assert "1 of 2 races" in shown()
    assert "1,234" in shown()

    Backfill.objects.update(lease_until=now - timedelta(seconds=9))

    page = shown()
    assert "Stopped without a word</span>" in page
    assert f"<code>manage.py backfill --partner {race.partner.slug}</code>" in page
    assert page.count('aria-label="Progress of') == 1


def test_a_key_shows_what_it_used_what_is_free_and_what_is_kept_for_the_more_urgent(shown, race, now):
    key = race.credential
    ApiUsage.objects.create(credential=key, minute=now - timedelta(minutes=3), calls=240, throttled=2)
    ApiUsage.objects.create(credential=key, minute=now - timedelta(minutes=61), calls=999)
    CallBudget.objects.create(credential=key, theoretical_arrival_at=now, rate_per_hour=700, rate_changed_at=now)

    keys = shown("operations_keys")

    assert 'data-label="Used last hour">240 of 1,000 <progress max="100" value="24"' in keys
    assert 'data-label="Free now">20 <span class="relative">kept 3 / 7 / 11<' in keys
    assert "MEDIUM / LOW / background leave to what is more urgent" in keys
    assert "throttled 2 times in the last hour, 700 calls an hour for now" in keys


def test_a_key_whose_next_day_is_too_much_says_from_when(shown, race, scheduled, now):
    scheduled()
    assert "Fits</span>" in shown("operations_keys")
    race.credential.hourly_limit = 10
    race.credential.save()
    assert "Too much now</span>" in shown("operations_keys")

    tomorrow = RaceFactory(credential=CredentialFactory(hourly_limit=30))
    event = EventFactory(race=tomorrow, starts_at=now + timedelta(hours=20))
    EventSyncFactory(event=event, tier="MEDIUM", due_at=now)

    assert "Too much from Sun Jun 7, 02:00 UTC</span>" in shown("operations_keys")
    assert "calls/h wanted (1 race)" in shown("operations_keys")


def test_of_a_key_that_may_not_call_nothing_is_forecast(shown, race):
    Credential.objects.update(status="refused")
    assert 'data-label="Next 24 hours"><span class="none">no calls</span>' in shown("operations_keys")


def test_the_last_day_is_a_drawing_with_the_line_and_what_failed(shown, scheduled, run_of, now):
    Cycle.objects.create(
        started_at=now - timedelta(hours=1), finished_at=now - timedelta(hours=1) + timedelta(seconds=9)
    )
    run_of(scheduled(), outcome="failed", error_text="no answer")

    day = shown("operations_day", **{"HX-Request": "true"})

    assert 'class="limit"' in day
    assert "the slowest took 9.00 s" in day
    assert "no answer" in day
    assert "<html" not in day
    assert "<h1>" in shown("operations_day")
    assert f'hx-get="{reverse("operations_day")}" hx-trigger="load' in shown()


def test_the_parts_are_for_staff_only(log_in, director):
    client = log_in(director)
    assert {client.get(reverse(name)).status_code for name in ("operations_keys", "operations_day")} == {404}


def test_what_is_looked_at_every_five_seconds_is_bounded_when_everything_is_late(
    log_in, staff, scheduled, now, django_assert_max_num_queries
):
    for number in range(51):
        scheduled(f"Event {number}", due_at=now - timedelta(minutes=number + 2))
    client = log_in(staff)

    with django_assert_max_num_queries(12):
        text = client.get(reverse("operations_live")).content.decode()

    assert "50 or more HIGH events are late" in text
