"""What does not exist or is not allowed is answered in our look, while developing too."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.mark.parametrize("status", ["400", "403", "403_csrf", "404", "405", "500"])
def test_an_error_page_says_what_happened_and_what_to_do(status):
    page = render_to_string(f"{status}.html")

    assert page.count("<h1>") == 1
    assert 'href="/"' in page


@pytest.mark.parametrize("debug", [False, True])
def test_a_page_that_does_not_exist_is_answered_in_our_look(log_in, director, settings, debug):
    settings.DEBUG = debug

    response = log_in(director).get("/no-such-page/")

    assert response.status_code == 404
    page = response.content.decode()
    assert "There is nothing here" in page
    assert "style=" not in page
    assert "<style" not in page
    assert "script-src 'self'" in response["Content-Security-Policy"]


@pytest.mark.parametrize("debug", [False, True])
def test_a_race_of_somebody_else_looks_the_same_as_one_that_does_not_exist(log_in, stranger, race, settings, debug):
    settings.DEBUG = debug
    client = log_in(stranger)

    foreign = client.get(reverse("race_page", args=[race.pk]))
    missing = client.get(reverse("race_page", args=[race.pk + 10_000]))

    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content


def test_an_address_without_its_last_slash_still_leads_to_the_page_while_developing(log_in, staff, settings):
    settings.DEBUG = True

    assert log_in(staff).get("/operations")["Location"] == "/operations/"


def test_the_page_about_a_failure_keeps_its_trace_while_developing(log_in, director, settings, monkeypatch):
    def fails():
        raise RuntimeError("a bug of ours")

    settings.DEBUG = True
    monkeypatch.setattr("sync.web.views.database_now", fails)
    client = log_in(director)
    client.raise_request_exception = False

    response = client.get(reverse("race_list"))

    assert response.status_code == 500
    assert "a bug of ours" in response.content.decode()


@pytest.mark.parametrize(
    ("name", "above"),
    [("sync_now", "race_page"), ("event_sync_now", "event_page"), ("start_list_export", "race_page")],
)
def test_who_pressed_a_button_after_the_session_ended_is_led_back_to_it_from_the_login(
    log_in, director, race, scheduled, name, above
):
    event = scheduled()
    of_event = [race.pk, event.pk]
    address, page = (
        reverse(name, args=of_event[: 1 + ("event" in name)]),
        reverse(above, args=of_event[: 1 + ("event" in above)]),
    )

    response = log_in(director).get(address)

    assert response.status_code == 405
    assert response["Allow"] == "POST"
    said = response.content.decode()
    assert "Nothing was done or changed" in said
    assert f'href="{page}"' in said
