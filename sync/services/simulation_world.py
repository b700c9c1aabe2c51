"""The world of the simulator as the database has it: tomorrow's race day, rehearsed tonight."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from partners.gate import budget_states
from partners.models import Credential
from sync.models import EventSync
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import closed_reason, window_of
from sync.simulation.world import Key, PlannedEvent, World


def simulation_world(*, begins: datetime, ends: datetime, limit: int | None = None) -> World:
    """The scheduled events of all keys that may be used, each with the calls an hour that it may make now: fewer than
    its limit after the provider said slow down. `limit`: calls an hour instead of each key's own."""
    keys = {
        credential.pk: credential
        for credential in Credential.objects.select_related("partner").defer("api_secret")
        if not blocked_reason(credential)
    }
    # An event that was over an hour before the beginning is not in the world; the core decides about the others.
    since = begins - timedelta(days=1)
    rows = (
        EventSync.objects.filter(Q(event__starts_at=None) | Q(event__starts_at__gte=since), credential__in=keys)
        .select_related("event__race")
        .defer("event__raw", "event__race__raw")
        .order_by("pk")
    )
    events = tuple(
        PlannedEvent(
            event_id=row.event_id,
            # The slots are placed by the provider's number; two partners that share one race have different keys.
            race_id=row.event.race.provider_race_id,
            key_id=row.credential_id,
            window=window_of(row.event),
            visits=row.visits,
            reconciled_at=row.reconciled_at,
        )
        for row in rows
        if not closed_reason(row.event)
    )
    used = {event.key_id for event in events}
    states = budget_states([credential for credential in keys.values() if credential.pk in used])
    return World(
        name="database",
        keys=tuple(
            Key(
                key_id=credential.pk,
                partner_id=credential.partner_id,
                name=str(credential),
                limit=limit or states[credential.pk].rate,
            )
            for credential in keys.values()
            if credential.pk in used
        ),
        events=events,
        begins=begins,
        ends=ends,
    )
