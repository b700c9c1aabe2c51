"""Row 33: planted secrets go through failures of every kind, and then everything is searched for them."""

from __future__ import annotations

import gzip
import io
import json
import queue
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from logging import getLogger
from multiprocessing import Value

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse
from django.utils.log import AdminEmailHandler
from django_q.models import Task
from django_q.monitor import monitor
from django_q.worker import worker

from partners import providers
from partners.gate import database_now
from partners.models import CallBudget, Credential, TimingPartner, TrialCall
from partners.runsignup.errors import ProviderError
from partners.runsignup.outcomes import BY_CODE
from partners.runsignup.transport import HttpTransport
from partners.secret import Secret
from project88.masked_text import MaskedText
from races.models import Event, Race, StartListExport
from sync.models import EventSync, SyncRun
from tests.factories import CredentialFactory, EventFactory, EventSyncFactory, ParticipantFactory, UserFactory
from tests.faults.canary_search import (
    LogLines,
    admin_addresses,
    all_logs,
    columns_with,
    page_addresses,
    page_text,
    texts_of,
    unpacked_rows,
)
from tests.partners.runsignup.loopback import Behaviour, Handler, Loopback, loopback

pytestmark = pytest.mark.django_db(transaction=True)

# What is searched for is the inside of each, which no way of writing it changes; pages may show a secret's last four.
KEY_MARK, SECRET_MARK, REG_MARK = "4e1b77f00d12", "7f3a9b21c0de", "55c0a1b2c3d4"
KEY = f"canary-key-{KEY_MARK}-x"
SECRET = f"canary/secret+{SECRET_MARK}-end4"
REG_SECRET = f"canary-registration-{REG_MARK}-end5"
MARKS = (KEY_MARK, SECRET_MARK, REG_MARK)
# A key is no secret to those who may see keys.
KEY_IS_SHOWN = {"partners.Credential", "partners.TimingPartner"}
GOOD = b'{"races":[]}'


def sent(handler: Handler) -> str:
    """All that we sent, for an answer that repeats it."""
    return f"{handler.path} {dict(handler.headers)}"


def says_error(code: int) -> Behaviour:
    def behave(handler: Handler) -> None:
        body = {"error": {"error_code": code, "error_msg": f"No: {sent(handler)}"}}
        handler.answer(json.dumps(body).encode())

    return behave


def says_status(status: int, **headers: str) -> Behaviour:
    return lambda handler: handler.answer(f"<h1>{sent(handler)}</h1>".encode(), status=status, **headers)


def redirects(handler: Handler) -> None:
    handler.answer(b"", status=302, Location=f"https://elsewhere.test{handler.path}&s={SECRET}")


def says_no_json(handler: Handler) -> None:
    handler.answer(f"{{broken {sent(handler)}".encode())


def says_other_json(handler: Handler) -> None:
    handler.answer(json.dumps([sent(handler)]).encode())


def is_cut_off(handler: Handler) -> None:
    handler.answer(gzip.compress(sent(handler).encode())[:-6], Content_Encoding="gzip")


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True


def says_nothing(handler: Handler) -> None:
    handler.server.over.wait(0.4)


PROVIDER_FAILURES: dict[str, Behaviour] = {
    **{f"error {code}": says_error(code) for code in [*BY_CODE, 999]},
    **{f"status {status}": says_status(status) for status in (301, 400, 401, 404, 429, 500, 503)},
    "busy": says_status(503, Retry_After="60"),
    "redirect": redirects,
    "no JSON": says_no_json,
    "other JSON": says_other_json,
    "cut off": is_cut_off,
    "hangs up": hangs_up,
    "time-out": says_nothing,
}
# What people at a form or a terminal meet; each costs a page.
FOR_PEOPLE = ("error 6", "error 7", "error 17", "error 999", "status 500", "redirect", "no JSON", "time-out")


@dataclass
class Installation:
    """One that holds the canaries, its provider, and what came out of it so far: where, and the text."""

    server: Loopback
    logs: LogLines
    staff: Client
    credential: Credential
    row: EventSync
    shown: list[tuple[str, str]] = field(default_factory=list)

    def refresh(self, *, style: str) -> None:
        """Time passes and people help: the key may be used, the race is due."""
        Credential.objects.filter(pk=self.credential.pk).update(
            status="ok", key_style=style, discovery_claimed_until=None
        )
        CallBudget.objects.all().delete()
        TrialCall.objects.all().delete()
        now = database_now()
        Race.objects.update(gone_at=None)
        Event.objects.update(gone_at=None)
        EventSync.objects.filter(pk=self.row.pk).update(due_at=now, picked_at=now, tier="HIGH")

    def raised(self, where: str, error: BaseException) -> None:
        self.shown += [(f"exception: {where}", text) for text in texts_of(error)]

    def answered(self, where: str, answer) -> None:
        text = f"{answer.content.decode()} {answer.headers} {answer.cookies}"
        if answer.status_code == 200:
            # A form shows the key to whoever entered it.
            text = text.replace(KEY, "")
        self.shown.append((f"answer: {where}", text))


@pytest.fixture
def installation(settings, monkeypatch) -> Iterator[Installation]:
    settings.RUNSIGNUP_REG, settings.RUNSIGNUP_REG_SECRET = "900001.token", MaskedText(REG_SECRET)
    settings.ADMINS = [("Operator", "operator@example.test")]
    monkeypatch.setattr(providers, "HttpTransport", partial(HttpTransport, call_seconds=0.1))
    credential = CredentialFactory(api_key=KEY, api_secret=Secret(SECRET))
    row = EventSyncFactory(event=EventFactory(race__credential=credential), checked_at=database_now())
    ParticipantFactory(event=row.event)
    staff = Client(raise_request_exception=False)
    staff.force_login(UserFactory(is_staff=True, is_superuser=True))
    mailer = AdminEmailHandler(include_html=True)
    getLogger("django.request").addHandler(mailer)
    with loopback(says_nothing) as server, all_logs() as logs:
        settings.RUNSIGNUP_URL = server.url
        yield Installation(server=server, logs=logs, staff=staff, credential=credential, row=row)
    getLogger("django.request").removeHandler(mailer)


def in_the_cluster(name: str, *args: object) -> None:
    """The task through django-q2's own worker and monitor, which stores its result or failure."""
    tasks, results = queue.Queue(), queue.Queue()
    at = database_now()
    task = {"id": f"{time.monotonic_ns():032x}"[-32:], "name": name, "func": name, "args": args, "kwargs": {}}
    tasks.put(task | {"started": at})
    tasks.put("STOP")
    worker(tasks, results, Value("f", -1), -1)
    results.put("STOP")
    monitor(results)


def drive_lanes(here: Installation) -> None:
    for name, behaviour in PROVIDER_FAILURES.items():
        here.server.behaviour = behaviour
        # In the query, where a URL holds the secret, through everything; in the header at the transport's door.
        here.refresh(style="query")
        in_the_cluster("sync.tasks.lane", here.credential.pk)
        here.refresh(style="header")
        transport = providers.make_transport(Credential.objects.get(pk=here.credential.pk))
        try:
            transport.get("/races", {"page": "1"})
        except ProviderError as error:
            here.raised(name, error)
        finally:
            transport.close()


def drive_crashes(here: Installation, monkeypatch: pytest.MonkeyPatch, settings) -> None:
    """Bugs of our own, at the worst places: around the key, below the transport, and while it is being typed in."""

    def fails(*args: object, **more: object) -> None:
        raise RuntimeError("a bug")

    def fails_and_tells(_transport: object, *sent: object) -> None:
        raise RuntimeError(f"a bug with {sent}")

    def call_all() -> None:
        here.refresh(style="query")
        in_the_cluster("sync.tasks.lane", here.credential.pk)
        in_the_cluster("sync.tasks.discovery", here.credential.pk)
        for debug in (False, True):
            with override_settings(DEBUG=debug):
                here.answered("crash in a form", here.staff.post(reverse("admin:partners_timingpartner_add"), entry()))
        here.answered("crash in a page", here.staff.get(reverse("race_list")))

    for place, broken in (
        ("partners.runsignup.transport.HttpTransport._fetch", fails_and_tells),
        ("partners.runsignup.client.RunSignUpClient._ask", fails),
        ("sync.services.lanes._pace_now", fails),
        ("sync.web.views.render", fails),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, broken)
            call_all()


def drive_refused_database(here: Installation, settings) -> None:
    """The encryption key is gone: a stored secret cannot be read."""
    here.refresh(style="header")
    keys, settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS, ["x3n6ZJvOZ7cS0tGJ1M0rYwG3r8m4oE9q5nJmXo2yJmA="]
    in_the_cluster("sync.tasks.lane", here.credential.pk)
    here.answered("wrong key", here.staff.get(reverse("admin:partners_credential_change", args=[here.credential.pk])))
    settings.CREDENTIAL_KEYS = keys


def entry(**changes: str) -> dict[str, str]:
    fields = {"name": "Ridgeline Timing", "contact_email": "crew@example.test", "timezone": "America/Denver"}
    return fields | {"api_key": f"{KEY}-new", "secret": SECRET, "key_style": "header"} | changes


def drive_people(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOR_PEOPLE:
        here.server.behaviour = PROVIDER_FAILURES[name]
        here.refresh(style="query")
        onboarding = here.staff.post(reverse("admin:partners_timingpartner_add"), entry())
        stored = reverse("admin:partners_credential_change", args=[here.credential.pk])
        replaced = here.staff.post(stored, {"label": "main", "hourly_limit": "1000", "secret": f"{SECRET}-2"})
        verified = here.staff.post(stored, {"label": "main", "hourly_limit": "1000", "secret": "", "_verify": "1"})
        for page in (onboarding, replaced, verified):
            here.answered(name, page)
        onboard_command(here, monkeypatch, name)
    assert TimingPartner.objects.count() == 1


def onboard_command(here: Installation, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET))
    out = io.StringIO()
    try:
        call_command("onboard", "Ridgeline Timing", "--api-key", f"{KEY}-new", "--api-secret-stdin", stdout=out)
    except CommandError as error:
        # The command line itself, which named the key, is among the local variables.
        here.shown += [(f"onboard: {name}", t.replace(f"{KEY}-new", "")) for t in texts_of(error)]
    else:
        raise AssertionError(name)
    here.shown.append((f"onboard: {name}", out.getvalue()))


def drive_takeaways(here: Installation) -> None:
    """What people take along: a start list, a copy of the tables, the settings."""
    download = reverse("start_list_export", args=[here.row.event.race_id])
    for form in ("csv", "json"):
        answer = here.staff.post(download, {"format": form})
        here.shown.append(("export", b"".join(answer.streaming_content).decode()))
    for command in (["dumpdata", "partners"], ["diffsettings", "--all"]):
        out = io.StringIO()
        try:
            call_command(*command, stdout=out)
        except CommandError as error:
            here.raised(command[0], error)
        here.shown.append((command[0], out.getvalue()))


def search(here: Installation) -> list[tuple[str, str]]:
    """(where, mark) of every place at which a canary turned up."""
    event = here.row.event
    known = {
        "race_pk": event.race_id,
        "event_pk": event.pk,
        "export_pk": StartListExport.objects.first().pk,
        "participant_pk": event.participants.first().pk,
        "slug": here.credential.partner.slug,
    }
    texts = [*here.shown, *(("log", line) for line in here.logs.lines), *unpacked_rows()]
    texts += [("mail", f"{sent.subject} {sent.message().as_string()} {sent.alternatives}") for sent in mail.outbox]
    texts += [(address, page_text(here.staff, address)) for address in page_addresses(known)]
    found = [(where, mark) for where, text in texts for mark in MARKS if mark in text]
    found += [("SQL log", mark) for line in here.logs.sql for mark in MARKS[1:] if mark in line]
    for model, address in list(admin_addresses()):
        text = page_text(here.staff, address)
        found += [(address, mark) for mark in MARKS[model in KEY_IS_SHOWN :] if mark in text]
    for mark in MARKS:
        found += [(column, mark) for column in columns_with(mark)]
    return found


def test_fault_33_a_canary_secret_shows_up_nowhere_whatever_fails(installation, monkeypatch, settings):
    here = installation
    drive_lanes(here)
    drive_people(here, monkeypatch)
    drive_crashes(here, monkeypatch, settings)
    drive_refused_database(here, settings)
    here.refresh(style="header")
    drive_takeaways(here)

    # It was all there to be found: the provider got it, runs failed, tasks and pages crashed, mails went out.
    assert any(SECRET_MARK in path for path, _headers in here.server.seen)
    assert any(headers.get("X-RSU-API-REG-SECRET") == REG_SECRET for _path, headers in here.server.seen)
    assert len(set(SyncRun.objects.values_list("error_text", flat=True))) > 15
    assert Task.objects.filter(success=False).count() >= 2
    assert len(mail.outbox) >= 4
    assert any("Traceback" in line for line in here.logs.lines)

    assert set(search(here)) == {("partners_credential.api_key", KEY_MARK)}


def test_fault_33_the_search_finds_what_is_there(installation):
    """Without this a search that looks at nothing would find nothing, too."""
    here = installation
    SyncRun.objects.create(
        event=here.row.event,
        visit=uuid.uuid4(),
        trigger="manual",
        tier="HIGH",
        started_at=database_now(),
        error_text=f"at {SECRET}",
    )
    here.row.event.race.raw = {"deep": [f"x{REG_SECRET}"]}
    here.row.event.race.save()
    ParticipantFactory(event=here.row.event, first_name=SECRET)
    in_the_cluster("tests.faults.test_secrets_stay_inside.nothing_of_ours", SECRET)
    getLogger("deep.inside").debug("sent %s", SECRET)
    drive_takeaways(here)

    places = {where for where, _mark in search(here)}
    assert {"sync_syncrun.error_text", "races_race.raw", "races_participant.first_name"} <= places
    assert {
        "log",
        "a finished task",
        "export",
        reverse("event_page", args=[here.row.event.race_id, here.row.event.pk]),
    } <= places
