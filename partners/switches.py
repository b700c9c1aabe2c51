"""What staff switch off and on: a key, a partner. The planner asks at each cycle, so nothing else has to be written."""

from __future__ import annotations

from collections.abc import Collection

from partners.models import Credential, TimingPartner

Status = Credential.Status


def keys_pause(*, key_ids: Collection[int]) -> set[int]:
    """The keys that are paused by this. A refused one makes no calls anyway, and stays what it is."""
    return _set(key_ids, now_in=[Status.OK, Status.UNVERIFIED], status=Status.PAUSED)


def keys_resume(*, key_ids: Collection[int]) -> set[int]:
    """The keys that are resumed by this: those that were paused. A refused one resumes when it is verified."""
    return _set(key_ids, now_in=[Status.PAUSED], status=Status.OK)


def _set(key_ids: Collection[int], *, now_in: list[Credential.Status], status: Credential.Status) -> set[int]:
    # Conditional: a lane may write a refusal at this moment, which must not be undone.
    rows = Credential.objects.filter(pk__in=key_ids, status__in=now_in)
    found = set(rows.values_list("pk", flat=True))
    rows.update(status=status)
    return found


def partners_switch(*, partner_ids: Collection[int], on: bool) -> set[int]:
    """The partners that are switched by this; the others were so already, or are being erased."""
    rows = TimingPartner.objects.filter(pk__in=partner_ids, is_active=not on, erase_asked_at=None)
    found = set(rows.values_list("pk", flat=True))
    rows.update(is_active=on)
    return found
