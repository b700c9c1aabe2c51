"""Errors by class on a partner's page: how often, the latest, what it means, and where its runs are."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse

from sync.web import partner_errors as selector
from tests.factories import EventFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

NO_ACCESS = (
    "RunSignUp gives this key no access: the race director must add the timing company (error 7: Permission denied)."
)


@pytest.fixture
def client(log_in, staff):
    return log_in(staff)


@pytest.fixture
def errors(client, race):
    def shown() -> str:
        page = client.get(reverse("partner_page", args=[race.partner.slug])).content.decode()
        return " ".join(page.split()).split('id="errors">')[1].split("</section>")[0]

    return shown


@pytest.fixture
def failed(run_of):
    def make(event, *, minutes: int = 5, outcome="failed", error_class="Transient", text="RunSignUp is unavailable."):
        ago = timedelta(minutes=minutes)
        return run_of(event, ago=ago, outcome=outcome, error_class=error_class, error_text=text)

    return make


def rows(text: str) -> list[str]:
    return re.findall(r"<tr data-kind=.*?</tr>", text)


def test_each_class_says_how_often_what_it_means_and_what_the_latest_said(errors, failed, race):
    event = EventFactory(race=race, name="Half")
    failed(event, minutes=300, outcome="refused", error_class="Refused", text=NO_ACCESS)
    for minutes in (90, 30):
        failed(event, minutes=minutes, text=f"RunSignUp is unavailable (HTTP {500 + minutes // 30}).")

    transient, refused = rows(errors())

    assert "Transient" in transient
    assert "tries again by itself" in transient
    assert ">2<span" in transient
    assert "05:30:00 EDT" in transient
    assert "RunSignUp’s answer: HTTP 501" in transient
    assert "HTTP 503" not in transient
    assert "A person must act." in refused
    assert "<q>Permission denied</q> (error 7)" in refused
    assert reverse("event_page", args=[race.pk, event.pk]) in refused


def test_the_link_leads_to_exactly_those_runs(client, errors, failed, run_of, race):
    event = EventFactory(race=race)
    failed(event, minutes=10)
    failed(event, minutes=20, outcome="throttled", error_class="Throttled")
    failed(event, minutes=60 * 25)
    failed(EventFactory(), minutes=10)
    run_of(event)

    link = next(re.search(r'href="([^"]*outcome=failed[^"]*)"', row) for row in rows(errors()) if "Transient" in row)
    assert link is not None
    listed = client.get(unescape(link[1])).content.decode()

    assert len(re.findall(r'<th scope="row"><time', listed)) == 1


def test_good_runs_others_and_those_of_yesterday_are_no_errors(errors, failed, run_of, race):
    event = EventFactory(race=race)
    run_of(event)
    failed(EventFactory())
    failed(event, minutes=60 * 25)

    assert "None." in errors()


def test_an_error_without_a_known_class_is_one_of_our_own(errors, failed, race):
    failed(EventFactory(race=race), error_class="KeyError", text="Project88 failed here (KeyError); see the log.")

    assert "Look at the log" in rows(errors())[0]


def test_in_an_outage_of_everybody_the_page_says_that_it_counts_the_latest_only(errors, failed, race, monkeypatch):
    monkeypatch.setattr(selector, "LOOKED_AT", 3)
    event = EventFactory(race=race)
    for minutes in range(1, 6):
        failed(event, minutes=minutes)
    shown = errors()

    assert ">3<span" in rows(shown)[0]
    assert "only the latest part of the day is counted" in shown
