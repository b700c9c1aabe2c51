"""What the admin says after a click: how much was asked for, when it begins, and why the rest is not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from races.models import Event
from sync.core.line import KeyPlace, begins_text, place_text
from sync.core.time_words import counted
from sync.services.asking import Asked

# A message explains so many events and counts the rest.
MOST_EXPLAINED = 5


def asked_text(asked: Asked, *, places: Mapping[int, KeyPlace], what: str) -> str:
    """ "Asked for a sync of 2 events of Casco Bay Races: 3rd for this key, in about 20 s." `places`: by race id."""
    parts = []
    races = {event.race_id: event.race.name for event in asked.waiting}
    if races:
        of = next(iter(races.values())) if len(races) == 1 else counted(len(races), "race")
        parts.append(f"Asked for a {what} of {counted(len(asked.waiting), 'event')} of {of}{_when(races, places)}.")
    if asked.already:
        parts.append(f"{counted(asked.already, 'event')} waited for it or ran already.")
    if asked.fresh:
        parts.append(f"{counted(asked.fresh, 'event')} had it a few seconds ago: nothing to do.")
    return " ".join(parts)


def _when(races: Mapping[int, str], places: Mapping[int, KeyPlace]) -> str:
    known = sorted((places[pk] for pk in races if pk in places), key=lambda place: place.begins_in)
    if not known:
        return ""
    if len(races) == 1:
        return f": {place_text(known[0])}"
    return f": the first begins {begins_text(known[0])}, the last {begins_text(known[-1])}"


def refused_texts(events: Sequence[Event], asked: Asked) -> list[str]:
    """Each reason once, with how many events it holds back."""
    counts: dict[str, int] = {}
    for event in events:
        if reason := asked.refused.get(event.pk):
            counts[reason] = counts.get(reason, 0) + 1
    shown = [f"{counted(number, 'event')}: {reason}" for reason, number in list(counts.items())[:MOST_EXPLAINED]]
    left = len(counts) - MOST_EXPLAINED
    return [*shown, f"And {counted(left, 'more reason')}: choose fewer."] if left > 0 else shown
