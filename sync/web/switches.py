"""What somebody switched off on purpose: said neutrally, with who can switch it on again. And why "Sync now" is off."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from races.models import Race
from sync.services.cycles import blocked_reason
from sync.services.event_schedule import RACE_GONE
from sync.services.event_states import Switch, off_switch, off_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchedOff:
    """`text`: what is off. `admin_url`, `admin_text`: where staff switch it on; directors cannot."""

    text: str
    admin_url: str
    admin_text: str


def switched_off(race: Race) -> SwitchedOff | None:
    """The widest switch that is off, None when all are on. `race` with its credential and that one's partner."""
    credential = race.credential
    match off_switch(race):
        case Switch.PARTNER:
            url = reverse("admin:partners_timingpartner_change", args=[credential.partner_id])
            admin_text = "Switch the partner on in the admin"
        case Switch.KEY:
            url = reverse("admin:partners_credential_changelist")
            admin_text = f"Resume the key {credential.label} in the admin"
        case Switch.RACE:
            url = reverse("admin:races_race_change", args=[race.pk])
            admin_text = "Switch the race on in the admin"
        case None:
            return None
    return SwitchedOff(text=off_text(race), admin_url=url, admin_text=admin_text)


def why_no_sync(race: Race) -> str:
    """Why a sync can't be asked for, in words for everybody, "" when it can."""
    off = switched_off(race)
    if off is not None:
        return off.text
    if race.gone_at is not None:
        return RACE_GONE
    reason = blocked_reason(race.credential)
    return f"{reason}." if reason and not reason.endswith(".") else reason
