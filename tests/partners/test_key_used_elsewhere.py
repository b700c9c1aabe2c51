"""Another program spends a key's calls: we see it by a throttling that our own calls do not explain, and say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from partners import gate
from partners.budget import used_elsewhere
from partners.gate import NoBudget, database_now
from partners.models import ApiUsage, CallBudget, Credential
from partners.providers import make_transport
from partners.runsignup.answer import Answer
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.errors import Throttled, Transient
from partners.runsignup.outcomes import by_error, by_status
from partners.runsignup.sandbox import SandboxServer, World
from partners.runsignup.sandbox.model import Key
from partners.secret import Secret
from tests.factories import CredentialFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def credential():
    return CredentialFactory(hourly_limit=1000)


def we_called(credential, calls: int, *, minutes_ago: float = 20.0) -> None:
    at = database_now() - timedelta(minutes=minutes_ago)
    ApiUsage.objects.create(credential=credential, minute=at.replace(second=0, microsecond=0), calls=calls)


def throttle(credential, *, of_key: bool = True) -> None:
    with pytest.raises(Throttled), gate.call(credential.pk, purpose="HIGH"):
        raise Throttled("RunSignUp asked this key to slow down.", of_key=of_key)


def said_of(credential) -> str:
    return gate.budget_states([credential])[credential.pk].used_elsewhere


def seen(credential, *, minutes_ago: float) -> None:
    at = database_now() - timedelta(minutes=minutes_ago)
    CallBudget.objects.filter(credential=credential).update(used_elsewhere_at=at)


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status=status, headers=headers, body=body)


@pytest.mark.parametrize(("calls", "elsewhere"), [(0, True), (412, True), (749, True), (750, False), (1000, False)])
def test_what_three_quarters_of_the_limit_explain_is_our_own_doing(calls, elsewhere):
    assert used_elsewhere(limit=1000, calls=calls) is elsewhere


def test_http_429_and_error_14_are_about_the_key_and_503_is_about_the_provider():
    assert by_status(answer(429)).of_key
    for status in (200, 400, 429, 503):
        error = by_error(b'{"error_code": 14, "error_msg": "Request throttled."}', answer(status), asked="race")
        assert error.of_key
    busy = by_status(answer(503, **{"retry-after": "30"}))
    assert isinstance(busy, Throttled)
    assert not busy.of_key
    assert isinstance(by_status(answer(503)), Transient)


def test_a_throttling_that_our_calls_do_not_explain_is_said_with_what_to_do(credential):
    we_called(credential, 411)
    throttle(credential)
    assert said_of(credential) == (
        "Another program seems to use this key: RunSignUp asked it to slow down after 412 of its 1,000 calls an hour. "
        "Ask the partner which other program has this key, or give Project88 a key of its own; or lower the key's "
        "hourly limit in the admin."
    )


def test_calls_of_an_hour_ago_explain_nothing(credential):
    we_called(credential, 900, minutes_ago=62)
    throttle(credential)
    assert "after 1 of its 1,000 calls" in said_of(credential)


def test_a_throttling_of_our_own_making_accuses_nobody(credential):
    we_called(credential, 900)
    throttle(credential)
    assert CallBudget.objects.get(credential=credential).rate_per_hour == 700
    assert said_of(credential) == ""


def test_a_provider_that_has_too_much_to_do_accuses_nobody(credential):
    throttle(credential, of_key=False)
    assert CallBudget.objects.get(credential=credential).rate_per_hour == 700
    assert said_of(credential) == ""


def test_it_is_said_for_an_hour_after_it_was_last_seen(credential):
    throttle(credential)
    seen(credential, minutes_ago=59)
    assert said_of(credential)
    seen(credential, minutes_ago=61)
    assert said_of(credential) == ""
    # Row 16: the clock was set back.
    seen(credential, minutes_ago=-180)
    assert said_of(credential) == ""


def test_a_limit_that_staff_lowered_explains_it(credential):
    we_called(credential, 599)
    throttle(credential)
    assert "600 of its 1,000" in said_of(credential)
    Credential.objects.update(hourly_limit=600)
    credential.refresh_from_db()
    assert said_of(credential) == ""


class VirtualHours:
    """Time that passes only when told, for the provider and for the gate; the other program calls in it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 6, 6, 10, 0, tzinfo=UTC).timestamp()
        self.began = self.at
        self.each: Callable[[], None] = lambda: None
        self.every = 0.0
        self.next = self.at

    def clock(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def passes(self, seconds: float) -> None:
        until = self.at + seconds
        while self.every and self.next <= until:
            self.at = self.next
            self.next += self.every
            self.each()
        self.at = until


@pytest.fixture
def hours(monkeypatch) -> VirtualHours:
    hours = VirtualHours()
    monkeypatch.setattr(gate, "database_now", hours.now)
    return hours


@pytest.fixture
def shared(hours, settings):
    """A key of 1000 calls an hour that another program uses for 400 an hour, since more than an hour."""
    key = Key(
        key="shared-key-0001",
        secret="shared-secret-0123456789",
        name="Ridgeline Timing",
        timezone="America/New_York",
        entity_id=4_400,
        hourly_limit=1000,
    )
    world = World(keys=[key], races=[], caller_registration=("900001.x", "y"), clock=hours.clock)

    def other_program() -> None:
        call = world.ledger.begin(key=key.key, endpoint="race", race_id=1, hourly_limit=key.hourly_limit)
        world.ledger.end(call, "throttled" if call.throttled else "ok")

    hours.each, hours.every = other_program, 3600 / 400
    hours.passes(3600)
    with SandboxServer(world) as server:
        settings.RUNSIGNUP_URL = server.url
        credential = CredentialFactory(api_key=key.key, api_secret=Secret(key.secret), hourly_limit=1000)
        yield world, credential


def call_as_often_as_the_gate_lets_us(credential, hours: VirtualHours, *, until: float) -> list[tuple[int, int]]:
    """For each throttling the rate that the gate went down from and to."""
    rates = []
    transport = make_transport(credential)
    client = RunSignUpClient(transport=transport, gate=partial(gate.call, credential.pk, purpose="HIGH"))
    try:
        while hours.at < until:
            before = gate.budget_states([credential])[credential.pk].rate
            try:
                client.races_page(page=1, start_date=hours.now().date(), page_size=1)
                hours.passes(1.5)
            except NoBudget as refusal:
                hours.passes(refusal.wait + 0.001)
            except Throttled:
                rates.append((before, CallBudget.objects.get(credential=credential).rate_per_hour))
    finally:
        transport.close()
    return rates


def test_row_29_another_program_uses_400_calls_an_hour_of_the_same_key(shared, hours):
    world, credential = shared
    began = hours.at
    rates = call_as_often_as_the_gate_lets_us(credential, hours, until=began + 4800)

    ours = [call for call in world.ledger.calls() if call["endpoint"] == "races"]
    refused = [place for place, call in enumerate(ours) if call["outcome"] == "throttled"]
    # The limit was really there: beside the other program's calls an hour had room for 600 of ours.
    assert 560 <= refused[0] <= 640
    # Each throttling takes three tenths of the rate, down to the floor, and is never answered by a repetition.
    assert rates[0] == (1000, 700)
    assert all(after == max(120, int(before * 0.7)) for before, after in rates)
    assert len(refused) == len(rates)
    pauses = [later["started"] - ours[place]["started"] for place in refused for later in ours[place + 1 : place + 2]]
    assert min(pauses) >= 60
    said = said_of(credential)
    assert said.startswith("Another program seems to use this key: RunSignUp asked it to slow down after ")

    # The other program stops.
    hours.every = 0.0
    hours.passes(3601)
    assert said_of(credential) == ""
