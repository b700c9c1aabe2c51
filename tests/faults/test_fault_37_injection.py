"""Fault 37: scripts in every text, `javascript:` links, formulas in CSV, newlines in mail and log: inert everywhere."""

from __future__ import annotations

import csv
import io
import json
import logging
from datetime import UTC, datetime

import pytest
from django.core.mail import EmailMessage
from django.core.mail.message import BadHeaderError
from django.test import Client
from django.urls import reverse

from partners.models import TimingPartner
from project88.logging import JsonFormatter, LineFormatter
from races.models import Event, Participant, ParticipantChange, Race
from races.start_list_export import export_make
from sync.models import SyncRun
from sync.web.exports import heading_now
from tests.e2e.site_pages import POLLED, Places, admin_urls, page_urls
from tests.e2e.site_rows import site_rows_make
from tests.factories import UserFactory
from tests.faults.test_fault_36_forged_requests import url_of

SCRIPT = "<script>alert(88)</script>"
# Breaks out of an attribute, too.
BREAKOUT = "\"'><img src=x onerror=alert(88)>"
HOSTILE = SCRIPT + BREAKOUT
FORMULA = "=cmd|'/C calc'!A0"
LINK = "javascript:alert(88)"
PEOPLES_TEXTS = ("first_name", "last_name", "team_name", "city", "bib", "chip")


@pytest.fixture
def staff(db):
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def hostile(staff) -> Places:
    """The rows of all pages, with hostile text wherever the provider's or a person's text goes."""
    now = datetime.now(UTC)
    places = site_rows_make(staff=staff, now=now)
    TimingPartner.objects.update(name=f"Timing {HOSTILE}"[:100])
    Race.objects.update(name=f"Race {HOSTILE}"[:100], city=HOSTILE[:60], state=SCRIPT[:40], url=LINK)
    for event in Event.objects.all():
        event.name, event.distance = f"{event.pk} {HOSTILE}"[:100], SCRIPT
        event.save()
    Participant.objects.update(
        first_name=HOSTILE,
        last_name=f"Runner {HOSTILE}",
        team_name=HOSTILE,
        city=HOSTILE,
        answers=[{"question_id": 1, "question": HOSTILE, "response": HOSTILE}],
        raw=json.dumps({"question": HOSTILE}),
    )
    ParticipantChange.objects.filter(kind="changed").update(changes={"bib": ["", SCRIPT], "last_name": [HOSTILE, LINK]})
    SyncRun.objects.exclude(error_text="").update(error_text=f"RunSignUp said {HOSTILE}")
    return places


def test_fault_37_a_script_in_any_text_is_text_on_every_page(staff, hostile):
    client = Client()
    client.force_login(staff)
    urls = {**page_urls(hostile), **admin_urls()}
    urls |= {name: url_of(name, hostile) for name in POLLED}
    urls |= {"search": f"{reverse('search')}?q=runner", "nothing": f"{reverse('search')}?q={HOSTILE}"}
    shown, broken = 0, {}

    for name, url in urls.items():
        page = client.get(url).content.decode()
        shown += "&lt;script&gt;alert(88)" in page
        if found := [
            bad for bad in ("<script>alert(88)", "<img src=x", f'href="{LINK}', f"href='{LINK}") if bad in page
        ]:
            broken[name] = found

    assert broken == {}
    # Else this test would pass because nothing of it is shown at all.
    assert shown > 20


@pytest.mark.parametrize("field", PEOPLES_TEXTS)
def test_fault_37_a_formula_is_text_in_an_exported_list(staff, field):
    places = site_rows_make(staff=staff, now=datetime.now(UTC))
    Participant.objects.filter(event_id=places.event_pk).update(**{field: FORMULA})
    event = Event.objects.get(pk=places.event_pk)
    heading = heading_now(race=event.race, event=event, now=datetime.now(UTC))
    export = export_make(race=event.race, event=event, heading=heading, format="csv", made_by=staff)
    client = Client()
    client.force_login(staff)

    file = client.get(reverse("export_download", args=[event.race_id, export.pk])).getvalue().decode("utf-8-sig")

    cells = [cell for row in csv.reader(io.StringIO(file)) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))]


def test_fault_37_a_formula_is_text_in_the_table_of_runs(staff):
    site_rows_make(staff=staff, now=datetime.now(UTC))
    Event.objects.update(distance=FORMULA)
    Race.objects.update(name=FORMULA)
    SyncRun.objects.update(error_text=FORMULA)
    client = Client()
    client.force_login(staff)

    file = client.get(reverse("runs_csv")).getvalue().decode("utf-8-sig")

    cells = [cell for row in csv.reader(io.StringIO(file)) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "@"))]


def test_fault_37_a_newline_in_a_mails_subject_sends_no_mail():
    with pytest.raises(BadHeaderError):
        EmailMessage("Late: 5K\nBcc: everybody@example.test", "text", to=["crew@example.test"]).message()


@pytest.mark.parametrize("formatter", [JsonFormatter(), LineFormatter()])
@pytest.mark.parametrize("forged", ["\n12:00:00 INFO Login", "\r\n{}", "\x1b[2J", "\u2028", "\x85", "\x00"])
def test_fault_37_a_text_cannot_forge_a_line_of_the_log_nor_rule_a_terminal(formatter, forged):
    record = logging.makeLogRecord(
        {"name": "sync", "levelno": 20, "levelname": "INFO", "msg": "Seen %s", "args": (f"5K{forged}",)}
    )
    record.race = f"Race{forged}"

    line = formatter.format(record)

    assert len(line.splitlines()) == 1
    assert line.isprintable()
