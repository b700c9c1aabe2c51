"""What the queue runs. Each task reads the clock, calls one service and returns nothing."""

from __future__ import annotations

from datetime import datetime

from partners.gate import database_now
from partners.models import Credential
from project88.login_throttle import login_records_prune
from sync.services import asking, cycles, lanes
from sync.services.backfill_queue import backfill_ask, backfill_turn, backfills_continue
from sync.services.discovery import discoveries_start, discovery_run
from sync.services.erasure import erasure_turn, erasures_continue
from sync.services.event_days import event_days_roll_up
from sync.services.key_releases import key_release
from sync.services.policies import policy_now
from sync.services.pruning import prune_continue, prune_start


def cycle(intended: str | None = None) -> None:
    """One cycle for the slot `intended` (ISO text, set by the schedule)."""
    slot = datetime.fromisoformat(intended) if intended else None
    cycles.cycle_run(now=database_now(), slot=slot, policy=policy_now())


def lane(credential_id: int) -> None:
    """The lane of one credential; does nothing when another one is at it."""
    lanes.lane_run(credential_id=credential_id, policy=policy_now())


def lanes_call(credential_ids: list[int]) -> None:
    """Call the lanes of several keys, whose events somebody asked for at once."""
    asking.lanes_call(credential_ids)


def discoveries() -> None:
    """Queue the discoveries that are due: a schedule of every minute."""
    discoveries_start(now=database_now())


def event_days() -> None:
    """Roll up what the last hours of events came to: a schedule of every five minutes."""
    event_days_roll_up(now=database_now(), policy=policy_now())


def discovery(credential_id: int, asked_at: str | None = None, with_history: bool = False) -> None:
    """Find the races of one key; does nothing when one that began after `asked_at` (ISO text) has done it.

    `with_history`: then load the history of its partner.
    """
    if with_history:
        partner_id = Credential.objects.values_list("partner_id", flat=True).get(pk=credential_id)
        backfill_ask(partner_id=partner_id, now=database_now())
    discovery_run(
        credential_id=credential_id,
        now=database_now(),
        policy=policy_now(),
        asked_at=datetime.fromisoformat(asked_at) if asked_at else None,
    )
    if with_history:
        backfills_continue(now=database_now())


def background() -> None:
    """Queue the next turns of long work that the cluster was asked for: a schedule of every minute."""
    now = database_now()
    backfills_continue(now=now)
    erasures_continue()


def backfill(backfill_id: int) -> None:
    """Go on with one load of history for some minutes."""
    backfill_turn(backfill_id=backfill_id, policy=policy_now(), now=database_now())


def erasure(partner_id: int) -> None:
    """Go on with erasing a partner for some minutes."""
    erasure_turn(partner_id=partner_id)


def key_released(credential_id: int) -> None:
    """A refused key works again: its events are due at once."""
    key_release(credential_id=credential_id, now=database_now())


def prune() -> None:
    """Forget old logins, and queue the nightly look for events that are long over."""
    login_records_prune(now=database_now())
    prune_start()


def prune_events() -> None:
    """Blank contact data of such events for some minutes; what is left goes on in a task of its own."""
    prune_continue(now=database_now())
