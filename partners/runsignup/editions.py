"""Does a stored race document list all editions of its race? The race list names all years, but only current events."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from partners.runsignup.values import Scalar, whole_number


class _Day(Struct):
    race_event_days_id: Scalar = None


class _Race(Struct):
    race_event_days: list[_Day] | None = None
    events: list[_Day] | None = None


_DECODER = msgspec.json.Decoder(_Race)


def lists_all_editions(raw: str) -> bool:
    """Whether every edition that the raw race document names has an event in it (contract §2.1).

    False also when the document does not say: asking once too often costs a call, asking too rarely loses history.
    """
    try:
        race = _DECODER.decode(raw)
    except msgspec.DecodeError:
        return False
    if race.race_event_days is None or race.events is None:
        return False
    named = {whole_number(day.race_event_days_id) for day in race.race_event_days}
    return named <= {whole_number(event.race_event_days_id) for event in race.events}
