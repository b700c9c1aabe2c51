"""Where staff read that another program seems to use a key: on both pages and in `manage.py explain`, word for word."""

from __future__ import annotations

import io
from datetime import timedelta
from html import unescape

import pytest
from django.core.management import call_command
from django.urls import reverse

from partners.models import CallBudget
from sync.services.event_schedule import reschedule
from tests.factories import EventFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

SENTENCES = (
    "Another program seems to use this key: RunSignUp asked it to slow down after 412 of its 1,000 calls an hour. "
    "Ask the partner which other program has this key, or give Project88 a key of its own; or lower the key's hourly "
    "limit in the admin."
)


@pytest.fixture(autouse=True)
def database_clock(monkeypatch, now):
    for name in ("partners.gate", "sync.management.commands.explain"):
        monkeypatch.setattr(f"{name}.database_now", lambda: now)


@pytest.fixture(params=["operations", "partner_page", "explain"])
def shown(request, race, now, log_in, staff):
    """What staff read there, white space and escapes taken away."""

    def read() -> str:
        if request.param == "explain":
            event = EventFactory(race=race, starts_at=now + timedelta(hours=2))
            reschedule(events=[event], now=now)
            out = io.StringIO()
            call_command("explain", str(event.provider_event_id), stdout=out)
            text = out.getvalue()
        else:
            where = {"partner_page": [race.partner.slug]}.get(request.param, [])
            text = log_in(staff).get(reverse(request.param, args=where)).content.decode()
        return " ".join(unescape(text).split())

    return read


def seen(race, *, at) -> None:
    CallBudget.objects.create(credential=race.credential, used_elsewhere_at=at, used_elsewhere_calls=412)


def test_a_key_that_seems_to_be_used_elsewhere_says_so_and_what_to_do(shown, race, now):
    seen(race, at=now - timedelta(minutes=59))
    assert shown().count(SENTENCES) == 1


def test_an_hour_later_nothing_is_said_any_more(shown, race, now):
    seen(race, at=now - timedelta(minutes=60))
    assert "Another program" not in shown()


def test_on_the_page_of_operations_it_is_a_warning_and_a_word(log_in, staff, race, now):
    seen(race, at=now)
    page = log_in(staff).get(reverse("operations")).content.decode()
    row = page.split('<table class="keys')[1].split("<tbody>")[1].split("</tr>")[0]
    assert 'data-kind="warn"' in row
    assert "used elsewhere</span>" in row
