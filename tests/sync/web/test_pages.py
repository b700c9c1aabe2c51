"""What the pages say, read through the door that readers use."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from sync.models import Heartbeat, SyncRun
from tests.factories import EventFactory, EventSyncFactory, ParticipantFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

INJECTION = "<script>alert(1)</script>"


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def race_text(client, race) -> str:
    return text(client.get(reverse("race_page", args=[race.pk])))


def test_a_reader_without_a_race_is_told_what_to_do(log_in, stranger):
    stranger.partner_memberships.all().delete()

    assert "Ask your timing company" in text(log_in(stranger).get(reverse("race_list")))


def test_a_race_without_events_says_so(log_in, director, race):
    client = log_in(director)

    assert "No event of this race is known yet" in race_text(client, race)
    assert race.name in text(client.get(reverse("race_list")))


def test_a_race_whose_list_is_current_says_as_of_when_and_when_it_is_checked_next(log_in, director, race, scheduled):
    scheduled()

    page = race_text(log_in(director), race)

    assert "Up to date" in page
    assert "as of 05:59:20 EDT, next check by 06:01." in page
    assert "in 2 h" in page
    assert "Checked every minute: from 4 h before the start until 1 h after it." in page


def test_an_event_that_was_never_synced_does_not_claim_an_empty_list(log_in, director, race, scheduled):
    event = scheduled(checked_at=None, removals_checked_at=None, changed_at=None)
    client = log_in(director)

    assert "The list is not loaded yet" in race_text(client, race)
    assert "<dt>Registered</dt><dd>–</dd>" in race_text(client, race)
    assert "no list yet" in text(client.get(reverse("race_list")))
    page = text(client.get(reverse("event_page", args=[race.pk, event.pk])))
    assert "The list was not loaded yet." in page
    assert "Nobody is registered" not in page


def test_an_event_outside_the_schedule_is_shown_with_the_reason(log_in, director, race, now):
    EventFactory(race=race, starts_at=now + timedelta(days=9))

    page = race_text(log_in(director), race)

    assert "Not scheduled" in page
    assert "the next discovery adds it" in page


def test_a_late_event_says_since_when_and_why(log_in, director, race, scheduled, run_of, now):
    event = scheduled(
        "10K", due_at=now - timedelta(minutes=5), checked_at=now - timedelta(minutes=6), failures=2, tier="HIGH"
    )
    scheduled("5K")
    run_of(event, outcome="failed", error_class="Transient", error_text="RunSignUp answered 502.")

    page = race_text(log_in(director), race)

    headline = "RunSignUp answered 502. 10K: the list is as of 05:54:00 EDT."
    assert f'<strong class="word">Overdue:</strong> {headline}' in page
    assert "10K: 2 tries in a row failed; was due 05:55:00 EDT, 5 min ago." in page
    assert headline in text(log_in(director).get(reverse("race_list")))


def test_a_refused_key_is_the_reason_on_every_event(log_in, director, race, scheduled):
    scheduled()
    race.credential.status, race.credential.status_detail = "refused", "the secret is wrong"
    race.credential.save()

    assert "the secret is wrong" in race_text(log_in(director), race)


def test_a_finished_race_shows_its_last_list(log_in, director, race, now):
    event = EventFactory(race=race, starts_at=now - timedelta(hours=9))
    EventSyncFactory(event=event, checked_at=now - timedelta(hours=8))

    page = race_text(log_in(director), race)

    assert "Finished" in page
    ended = "Automatic checks ended 1 h after the start, at Fri Jun 5, 22:00 EDT"
    assert f"{ended}; the list is as of Fri Jun 5, 22:00 EDT. “Sync now” still works." in page
    assert "over" not in page.split('class="sentence"')[1].split("</div>")[0]


def test_a_start_without_a_time_of_day_is_shown_as_a_problem(log_in, director, race, now):
    EventFactory(race=race, starts_at=now + timedelta(days=2), start_is_placeholder=True)

    page = race_text(log_in(director), race)

    assert "Mon Jun 8, no time of day" in page
    assert "taken as between 04:00 and 14:00" in page


def test_events_of_past_editions_are_listed_but_do_not_count(log_in, director, race, scheduled, now):
    scheduled()
    old = EventFactory(race=race, name="Half of last year", starts_at=now - timedelta(days=364))
    ParticipantFactory(event=old)

    page = race_text(log_in(director), race)

    assert "Up to date" in page
    assert "Earlier events" in page
    assert "Half of last year" in page
    assert "Sat Jun 7 2025" in page


def test_an_event_taken_out_of_the_race_does_not_make_the_race_need_somebody(log_in, director, race, scheduled, now):
    scheduled("5K")
    event = scheduled("Kids run")
    event.gone_at = now
    event.save()

    page = race_text(log_in(director), race)

    assert '<strong class="word">Up to date</strong>' in page
    assert "this event does not exist any more" in page


def test_counts_are_those_of_the_start_list(log_in, director, race, scheduled, now):
    event = scheduled()
    for number in range(3):
        ParticipantFactory(event=event, bib=f"{number}")
    ParticipantFactory(event=event)
    ParticipantFactory(event=event, bib="77", removed_at=now, removed_reason="removed")

    page = " ".join(race_text(log_in(director), race).split())

    assert "<dt>Registered</dt><dd>4</dd>" in page
    assert "<dt>With bib</dt><dd>3</dd>" in page
    assert "<dt>Withdrawn today</dt><dd>1</dd>" in page


def test_today_begins_at_the_races_own_midnight(log_in, director, race, scheduled, now):
    event = scheduled()
    midnight = now.replace(hour=4)  # 00:00 EDT
    for at in (midnight - timedelta(seconds=1), midnight, midnight + timedelta(hours=2)):
        ParticipantFactory(event=event, removed_at=at, removed_reason="removed")

    assert "<dt>Withdrawn today, 3 in all</dt><dd>2</dd>" in race_text(log_in(director), race)


@pytest.mark.parametrize(
    ("changed_ago", "words"), [(9 * 60, ", nothing changed"), (None, ", nothing changed"), (40, ", with changes")]
)
def test_a_check_that_brought_nothing_is_told_from_the_last_change(
    log_in, director, race, scheduled, now, changed_ago, words
):
    scheduled(changed_at=None if changed_ago is None else now - timedelta(seconds=changed_ago))

    page = " ".join(race_text(log_in(director), race).split())

    list_as_of = page.partition("<dt>List as of</dt>")[2].partition("</div>")[0]
    assert "05:59:20 EDT" in list_as_of
    assert words in list_as_of
    last_change = page.partition("<dt>Last change</dt>")[2].partition("</div>")[0]
    assert {None: "none seen yet", 9 * 60: "05:51:00 EDT", 40: "05:59:20 EDT"}[changed_ago] in last_change


def test_a_page_that_cannot_count_the_seconds_says_when_it_was_made(log_in, director, race, scheduled):
    """Without JavaScript nothing on it moves until it loads itself again."""
    event, client = scheduled(), log_in(director)

    for url in (reverse("race_page", args=[race.pk]), reverse("event_page", args=[race.pk, event.pk])):
        said = re.search(r"<noscript><p class=\"loaded\">(.*?)</p></noscript>", text(client.get(url)))
        assert said is not None
        assert 'This page is as of <time datetime="2026-06-06T10:00:00+00:00">06:00:00 EDT</time>.' in said[1]
    assert " UTC. Without JavaScript" in text(client.get(reverse("race_list")))


def test_a_long_event_page_leads_to_what_people_come_for(log_in, director, race, scheduled):
    event = scheduled()

    page = text(log_in(director).get(reverse("event_page", args=[race.pk, event.pk])))

    for target in re.findall(r'href="#(\w+)"', page.partition('class="jumps"')[2].partition("</nav>")[0]):
        assert f'id="{target}"' in page
    assert reverse("event_changes", args=[race.pk, event.pk]) in page


def test_runs_are_shown_in_plain_words_with_their_numbers(log_in, director, race, scheduled, run_of):
    event = scheduled()
    run_of(event, outcome="ok", fetched=1204, added=3, changed=1, removed=2, trigger="manual")
    run_of(event, ago=timedelta(minutes=2), outcome="refused", error_text="RunSignUp refuses this key.")
    run_of(event, ago=timedelta(minutes=3), outcome="lost")

    client = log_in(director)
    page, opened = race_text(client, race), text(client.get(reverse("event_runs", args=[race.pk, event.pk])))

    for words in ("Updated", "Sync now", "1,204", "+3 ~1 −2", "Refused", "Lost"):
        assert words in opened
    assert reverse("event_runs", args=[race.pk, event.pk]) in page
    assert "Last 3 runs: 1 × updated, 1 × refused, 1 × lost." in page.replace("\u00a0", " ")
    assert "<summary>Last 3 runs in detail</summary>" in page


def test_text_from_the_provider_is_shown_and_never_run(log_in, director, race, scheduled, run_of, staff):
    race.name, race.city, race.url = INJECTION, INJECTION, "javascript:alert(1)"
    race.save()
    event = scheduled(INJECTION, failures=1, due_at=None, hold_reason=INJECTION)
    run_of(event, outcome="failed", error_text=INJECTION)
    ParticipantFactory(event=event, first_name=INJECTION, bib=INJECTION, team_name=INJECTION)
    client = log_in(staff)

    pages = [
        client.get(reverse("race_list")),
        client.get(reverse("race_page", args=[race.pk])),
        client.get(reverse("event_page", args=[race.pk, event.pk]), {"q": INJECTION}),
        client.get(reverse("operations")),
    ]

    for page in map(text, pages):
        assert INJECTION not in page
        assert "javascript:" not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("name", ["race_list", "race_list_live", "race_page", "race_live", "operations_live"])
def test_a_silent_scheduler_is_said_on_every_page(log_in, staff, race, scheduled, name, now):
    scheduled()
    Heartbeat.objects.update(beat_at=now - timedelta(minutes=19))

    page = text(
        log_in(staff).get(reverse(name, args=[race.pk] if name.startswith("race_p") or name == "race_live" else []))
    )

    assert "Scheduler silent since" in page
    assert "(19 min ago): events are not being synced." in page
    assert "Up to date" not in page


def test_a_scheduler_that_never_ran_is_said_too(log_in, director, race):
    Heartbeat.objects.all().delete()

    assert "The scheduler has never run" in race_text(log_in(director), race)


def test_a_run_of_a_dead_worker_is_not_shown_as_running(log_in, director, race, scheduled, run_of, now):
    event = scheduled()
    run_of(event, outcome="", finished_at=None, lease_until=now - timedelta(seconds=1))
    assert "Syncing" not in race_text(log_in(director), race)

    SyncRun.objects.update(lease_until=now + timedelta(seconds=30))
    page = race_text(log_in(director), race)
    assert "Syncing" in page
    assert "a check is running now" in page


def test_an_event_of_an_overloaded_key_says_how_often_it_is_really_checked(log_in, director, race, scheduled):
    race.credential.hourly_limit = 60
    race.credential.save()
    scheduled()

    page = race_text(log_in(director), race)

    assert "Checked every minute" not in page
    assert "as its key&#x27;s races want more calls than it may make" in page
