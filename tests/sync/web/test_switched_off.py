"""What is off on purpose is no alarm, and says who can switch it on."""

from __future__ import annotations

import pytest
from django.urls import reverse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


def text(client, race) -> str:
    response = client.get(reverse("race_page", args=[race.pk]))
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def switched_off_race(race, scheduled):
    scheduled()
    race.sync_enabled = False
    race.save()
    return race


def test_a_director_is_sent_to_the_timing_company(log_in, director, switched_off_race):
    page = text(log_in(director), switched_off_race)

    assert (
        '<strong class="word">Not synced:</strong> This race is switched off. The list is as of 05:59:20 EDT.' in page
    )
    assert "Ask your timing company to switch it on." in page
    assert "admin" not in page


def test_staff_get_the_link_to_the_switch(log_in, staff, switched_off_race):
    page = text(log_in(staff), switched_off_race)

    assert f'<a href="/admin/races/race/{switched_off_race.pk}/change/">Switch the race on in the admin</a>' in page


def test_it_is_neutral_and_needs_nobody(log_in, director, switched_off_race):
    client = log_in(director)

    for page in (text(client, switched_off_race), client.get(reverse("race_list")).content.decode()):
        assert 'data-kind="idle"' in page
        assert "Needs action" not in page
        assert 'data-kind="bad"' not in page


def test_sync_now_is_disabled_with_the_reason(log_in, director, switched_off_race):
    page = text(log_in(director), switched_off_race)

    assert '<p class="why" id="why-no-sync">This race is switched off.</p>' in page
    assert '<button type="submit" disabled aria-describedby="why-no-sync">Sync now</button>' in page


@pytest.mark.parametrize("reader", ["director", "staff"])
def test_the_button_says_it_in_the_same_words_when_it_was_pressed_on_an_old_page(
    log_in, request, reader, switched_off_race
):
    client = log_in(request.getfixturevalue(reader))

    page = client.post(reverse("sync_now", args=[switched_off_race.pk]), follow=True).content.decode()

    assert '<li data-kind="warn">This race is switched off.</li>' in page


def test_a_paused_key_and_a_partner_that_is_off_are_on_purpose_too(log_in, director, staff, race, scheduled):
    scheduled()
    race.credential.status = "paused"
    race.credential.save()
    assert "The API key of this race is paused." in text(log_in(director), race)
    assert "Resume the key main in the admin" in text(log_in(staff), race)

    race.partner.is_active = False
    race.partner.save()
    assert f"{race.partner} is switched off." in text(log_in(director), race)
    assert f"/admin/partners/timingpartner/{race.partner_id}/change/" in text(log_in(staff), race)


def test_a_refused_key_still_needs_somebody_and_disables_the_button(log_in, director, race, scheduled):
    scheduled()
    race.credential.status, race.credential.status_detail = "refused", "the secret is wrong"
    race.credential.save()

    page = text(log_in(director), race)

    assert "Needs action" in page
    assert "disabled" in page
