"""Removals that wait for a person: too many people were missing from a complete list at once.

Every function here is called inside a transaction that holds the lock of the race, but `held_decide`, which opens one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime
from hashlib import blake2b

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet

from races.departures import missing_write
from races.models import Event, HeldRemoval, Participant
from races.race_lock import race_lock

logger = logging.getLogger(__name__)

Decision = HeldRemoval.Decision


class CannotDecide(Exception):
    """Somebody decided already, or it is about other people by now. The text is a sentence for whoever decides."""


def in_force(event_id: int) -> QuerySet[HeldRemoval]:
    """What a complete list is compared with: the open one, and those whose people are kept."""
    return HeldRemoval.objects.filter(Q(decided_at=None) | ~Q(kept_ids=[]), event_id=event_id)


def still_kept(*, event_id: int, absent: Collection[int]) -> set[int]:
    """Of `absent`, whom a person decided to keep. Who is listed again is kept no longer: the next time it is asked."""
    kept: set[int] = set()
    for held in in_force(event_id).exclude(kept_ids=[]):
        left = [number for number in held.kept_ids if number in absent]
        kept.update(left)
        if len(left) < len(held.kept_ids):
            held.kept_ids = left
            held.save(update_fields=["kept_ids"])
    return kept


def hold(*, event: Event, missing: Collection[int], listed_before: int, now: datetime, run: int) -> None:
    """Ask a person, or bring up to date whom that question is about."""
    ids = sorted(missing)
    held = HeldRemoval.objects.filter(event=event, decided_at=None).first()
    if held is None:
        HeldRemoval.objects.create(
            event=event, sync_run_id=run, found_at=now, registration_ids=ids, listed_before=listed_before
        )
        logger.warning(
            "Removals are held",
            extra={"action": "removals_held", "event": event.provider_event_id, "missing": len(ids)},
        )
    elif (held.registration_ids, held.listed_before) != (ids, listed_before):
        held.registration_ids, held.listed_before = ids, listed_before
        held.save(update_fields=["registration_ids", "listed_before"])


def whole_again(*, event_id: int, now: datetime) -> None:
    """A complete list lacks no more people than may leave at once: nobody has to decide anything."""
    HeldRemoval.objects.filter(event_id=event_id, decided_at=None).update(decided_at=now, decision=Decision.RESOLVED)


def listed_again(*, event_id: int, seen: Collection[int], now: datetime) -> None:
    """A fetch of what changed listed these people: they are not among the missing any more."""
    for held in in_force(event_id):
        left = [number for number in held.registration_ids if number not in seen]
        kept = [number for number in held.kept_ids if number not in seen]
        if held.decided_at is not None:
            # What was decided stays on record as it was; only whom it still keeps changes.
            left = held.registration_ids
        if (left, kept) == (held.registration_ids, held.kept_ids):
            continue
        held.kept_ids = kept
        if left:
            held.registration_ids = left
        else:
            held.decided_at, held.decision = now, Decision.RESOLVED
        held.save(update_fields=["registration_ids", "kept_ids", "decided_at", "decision"])


def people_of(held: HeldRemoval) -> QuerySet[Participant]:
    """Those whom the decision is about: who is still in the list."""
    return Participant.objects.filter(
        event_id=held.event_id, registration_id__in=held.registration_ids, removed_at=None
    ).order_by("last_name", "first_name", "registration_id")


def fingerprint(held: HeldRemoval) -> str:
    """Changes with the people whom the question is about: what somebody confirms is what they were shown."""
    return blake2b(repr(held.registration_ids).encode(), digest_size=8).hexdigest()


@transaction.atomic
def held_decide(
    *, held_id: int, decision: HeldRemoval.Decision, user: AbstractBaseUser, shown: str, now: datetime
) -> int:
    """Remove the people or keep them; how many that were. `shown`: the fingerprint of what `user` was shown.

    Raises CannotDecide, and HeldRemoval.DoesNotExist.
    """
    race_lock(HeldRemoval.objects.values_list("event__race_id", flat=True).get(pk=held_id))
    held = HeldRemoval.objects.select_for_update(of=("self",)).select_related("event").get(pk=held_id)
    if held.decided_at is not None:
        raise CannotDecide(f"This was decided already: {held.get_decision_display()}.")
    if fingerprint(held) != shown:
        raise CannotDecide("Since you looked, other people are missing. Look again, then decide.")
    people = list(people_of(held).defer("raw", "answers"))
    if decision == Decision.CONFIRMED:
        missing_write(people, event_id=held.event_id, now=now, run=held.sync_run_id)
    else:
        held.kept_ids = [participant.registration_id for participant in people]
    held.decided_at, held.decided_by_id, held.decision = now, user.pk, decision
    held.save(update_fields=["kept_ids", "decided_at", "decided_by", "decision"])
    return len(people)
