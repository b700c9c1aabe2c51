"""Row 20: a mass removal waits for a person, who removes the people or keeps them; a whole list closes it by itself."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from partners.gate import database_now
from races.held_removals import CannotDecide, fingerprint
from races.models import HeldRemoval, Participant, ParticipantChange
from sync.models import EventSync
from sync.services.held_removals import held_removal_decide
from tests.factories import UserFactory
from tests.sync.provider_stage import Stage, assert_mirror_is_truth, from_now, listed

pytestmark = pytest.mark.django_db(transaction=True)

Decision = HeldRemoval.Decision


@pytest.fixture
def shrunk(stage: Stage) -> Stage:
    """An event of 40 people of whom RunSignUp lists 4; compared in full."""
    stage.add_race(starts=[from_now(hours=2)], people=40)
    stage.discover()
    stage.sync()
    stage.world.faults.add(endpoint="participants", share=0.1)
    compare(stage)
    return stage


def compare(stage: Stage) -> EventSync:
    EventSync.objects.update(reconciled_at=None)
    stage.sync()
    return EventSync.objects.get()


def event_of(stage: Stage):
    return next(iter(stage.world.events.values()))


def decide(decision: HeldRemoval.Decision) -> int:
    held = HeldRemoval.objects.get(decided_at=None)
    return held_removal_decide(
        held_id=held.pk, decision=decision, user=UserFactory(), shown=fingerprint(held), now=database_now()
    )


def test_what_is_held_names_the_people_since_when_and_the_run(shrunk):
    held = HeldRemoval.objects.get()
    ids = [one.registration_id for one in event_of(shrunk).registrations[4:]]
    assert (held.registration_ids, held.listed_before, held.decision) == (ids, 40, "")
    assert held.sync_run.full
    assert held.sync_run.started_at == held.found_at
    assert len(listed(event_of(shrunk))) == 40
    row = EventSync.objects.get()
    assert row.hold_reason.startswith("36 of 40 people are missing from RunSignUp's list at once. Nobody is removed")
    assert (row.listed_count, row.mirror_count, row.reconcile_removed, row.reconcile_kept) == (4, 40, 0, 36)


def test_the_same_people_missing_again_are_the_same_question(shrunk):
    before = HeldRemoval.objects.values().get()
    compare(shrunk)
    assert HeldRemoval.objects.values().get() == before


def test_further_people_who_are_missing_join_the_question(shrunk):
    gone = event_of(shrunk).registrations.pop(0).registration_id
    compare(shrunk)
    held = HeldRemoval.objects.get()
    assert gone in held.registration_ids
    assert held.found_at < database_now()


def test_confirmed_they_have_left_and_come_back_when_they_are_listed_again(shrunk):
    assert decide(Decision.CONFIRMED) == 36
    assert len(listed(event_of(shrunk))) == 4
    left = Participant.objects.exclude(removed_at=None)
    assert set(left.values_list("removed_reason", flat=True)) == {"missing"}
    removed = ParticipantChange.objects.filter(kind="removed")
    assert removed.count() == 36
    assert set(removed.values_list("sync_run_id", flat=True)) == {HeldRemoval.objects.get().sync_run_id}
    row = EventSync.objects.get()
    assert (row.hold_reason, row.mirror_count, row.reconcile_removed, row.reconcile_kept) == ("", 4, 36, 0)
    compare(shrunk)
    assert HeldRemoval.objects.get().decision == Decision.CONFIRMED
    shrunk.world.faults.clear()
    compare(shrunk)
    assert_mirror_is_truth(shrunk.world)


def test_discarded_they_stay_and_nobody_is_asked_about_them_again(shrunk):
    assert decide(Decision.DISCARDED) == 36
    row = compare(shrunk)
    assert HeldRemoval.objects.count() == 1
    assert (row.hold_reason, row.reconcile_kept) == ("", 36)
    assert len(listed(event_of(shrunk))) == 40


def test_beside_those_who_are_kept_a_single_person_may_still_leave(shrunk):
    decide(Decision.DISCARDED)
    gone = event_of(shrunk).registrations.pop(0).registration_id
    # The share keeps 3 of 39: the fourth of the list is no longer among them either.
    row = compare(shrunk)
    assert gone not in listed(event_of(shrunk))
    assert row.reconcile_removed in {1, 2}
    assert HeldRemoval.objects.count() == 1


def test_who_was_kept_and_came_back_is_asked_about_when_missing_once_more(shrunk):
    decide(Decision.DISCARDED)
    shrunk.world.faults.clear()
    compare(shrunk)
    assert HeldRemoval.objects.get().kept_ids == []
    assert len(HeldRemoval.objects.get().registration_ids) == 36
    shrunk.world.faults.add(endpoint="participants", share=0.1)
    compare(shrunk)
    assert HeldRemoval.objects.filter(decided_at=None).count() == 1


def test_a_list_that_is_whole_again_closes_it_by_itself(shrunk):
    shrunk.world.faults.clear()
    row = compare(shrunk)
    held = HeldRemoval.objects.get()
    assert (held.decision, held.decided_by) == (Decision.RESOLVED, None)
    assert row.hold_reason == ""
    assert_mirror_is_truth(shrunk.world)


def test_who_was_listed_meanwhile_is_not_among_those_who_are_removed(shrunk):
    """Between two full comparisons a fetch of changes lists one of them."""
    back = event_of(shrunk).registrations[20].registration_id
    shrunk.world.faults.clear()
    shrunk.world.change("bib", registration_id=back, bib_num=1207)
    shrunk.sync()
    assert decide(Decision.CONFIRMED) == 35
    assert back in listed(event_of(shrunk))


def test_who_left_by_name_meanwhile_keeps_that_reason(shrunk):
    gone = event_of(shrunk).registrations[30].registration_id
    shrunk.world.change("defer", registration_id=gone)
    for _ in range(5):
        shrunk.sync()
    decide(Decision.CONFIRMED)
    assert Participant.objects.get(registration_id=gone).removed_reason == "deferred"


def test_a_decision_about_other_people_than_were_shown_is_refused(shrunk):
    held = HeldRemoval.objects.get()
    shown = fingerprint(held)
    event_of(shrunk).registrations.pop(0)
    compare(shrunk)
    with pytest.raises(CannotDecide, match="Look again"):
        held_removal_decide(
            held_id=held.pk, decision=Decision.CONFIRMED, user=UserFactory(), shown=shown, now=database_now()
        )
    assert len(listed(event_of(shrunk))) == 40


# --- in the admin -----------------------------------------------------------------------------------------------


@pytest.fixture
def boss() -> Client:
    client = Client(enforce_csrf_checks=False)
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def address(word: str = "change") -> str:
    return reverse(f"admin:races_heldremoval_{word}", args=[HeldRemoval.objects.get().pk])


def test_staff_see_who_is_missing_and_decide_after_a_second_look(shrunk, boss):
    page = boss.get(address()).content.decode()
    person = Participant.objects.get(registration_id=event_of(shrunk).registrations[-1].registration_id)
    assert "36 of 40" in page
    assert "Newcomer" in page
    assert address("confirm") in page
    assert address("discard") in page
    asked = boss.get(address("confirm"))
    assert len(listed(event_of(shrunk))) == 40
    assert str(person) in asked.content.decode()
    boss.post(address("confirm"), {"shown": asked.context["shown"]})
    assert len(listed(event_of(shrunk))) == 4
    noted = LogEntry.objects.get()
    assert "36 people of Event 1 left" in noted.get_change_message()
    assert HeldRemoval.objects.get().decided_by_id == noted.user_id
    # Decided once: the buttons are gone, and a second click does nothing.
    assert address("confirm") not in boss.get(address()).content.decode()
    answer = boss.post(address("discard"), {"shown": asked.context["shown"]}, follow=True)
    assert "decided already" in answer.content.decode()


def test_a_discarded_question_is_noted_with_who_discarded_it(shrunk, boss):
    boss.post(address("discard"), {"shown": boss.get(address("discard")).context["shown"]})
    assert HeldRemoval.objects.get().decision == Decision.DISCARDED
    assert "stay in the list" in LogEntry.objects.get().get_change_message()


def test_without_a_token_of_the_page_nothing_is_decided(shrunk, boss):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = boss.cookies
    assert strict.post(address("confirm"), {"shown": fingerprint(HeldRemoval.objects.get())}).status_code == 403
    assert HeldRemoval.objects.get().decided_at is None


def test_staff_who_may_only_look_cannot_decide(shrunk, client):
    user = UserFactory(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_heldremoval"))
    client.force_login(user)
    assert address("confirm") not in client.get(address()).content.decode()
    assert client.post(address("confirm"), {"shown": fingerprint(HeldRemoval.objects.get())}).status_code == 403
    assert HeldRemoval.objects.get().decided_at is None


def test_the_event_page_leads_staff_there_and_tells_a_director_what_is_going_on(shrunk, boss, client):
    event = shrunk.event(event_of(shrunk))
    url = reverse("event_page", args=[event.race_id, event.pk])
    page = boss.get(url).content.decode()
    assert address() in page
    assert "RunSignUp 4 · mirror 40 · removed 0 · checked" in page
    assert "36 not listed, kept until staff decide" in page
    director = UserFactory()
    director.race_access.create(race=event.race)
    client.force_login(director)
    page = client.get(url).content.decode()
    assert "Nobody is removed until staff decide whether they have left" in page
    assert address() not in page


def test_the_operations_page_lists_what_waits_for_a_decision_until_it_is_decided(shrunk, boss):
    page = boss.get(reverse("operations")).content.decode()
    assert "Needs a decision" in page
    assert address() in page
    decide(Decision.DISCARDED)
    assert "Needs a decision" not in boss.get(reverse("operations")).content.decode()
