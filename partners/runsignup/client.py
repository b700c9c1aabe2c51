"""The questions that Project88 asks RunSignUp. Each method is one call through the gate, but `credential_test`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from typing import TypeVar

from partners.documents import (
    CredentialReport,
    EventDocument,
    ParticipantPage,
    RaceDocument,
    RacesPage,
    RemovedPage,
)
from partners.runsignup import paging, parsing, races
from partners.runsignup.answer import Answer, Transport
from partners.runsignup.errors import Gone, Refused

T = TypeVar("T")

# The provider's own maxima (contract §2.1, §3.1). Beyond them it may clamp silently, and a full page would look short.
MOST_RACES = 1000
MOST_PARTICIPANTS = 2500


class RunSignUpClient:
    """Asks, through `gate`, and reads. `calls` counts the calls really made: the gate was open.

    The answer is read inside the gate, because a throttling that only the body tells has to reach it. Every method
    raises ProviderError, and NoBudget (or whatever the gate raises) before the call.
    """

    def __init__(self, *, transport: Transport, gate: Callable[[], AbstractContextManager[object]]) -> None:
        self._transport = transport
        self._gate = gate
        self.calls = 0

    def races_page(self, *, page: int, start_date: date, page_size: int = MOST_RACES) -> RacesPage:
        """A page (from 1) of the races of this key from `start_date` on, with their current events."""
        params = {
            "page": str(page),
            "results_per_page": str(_bounded(page_size, MOST_RACES)),
            # Without it past races are hidden (trap 30).
            "start_date": start_date.isoformat(),
            "events": "T",
            "include_event_days": "T",
            "only_partner_races": "T",
            # Pages are counted: the order must not depend on what changes meanwhile.
            "sort": "name ASC",
        }
        return self._ask("/races", params, races.races_page)

    def race(self, *, race_id: int) -> RaceDocument:
        """One race with all its events, also past ones."""
        # Explicit, because the defaults hid past events in a probe (contract §2.2).
        params = {"future_events_only": "F", "most_recent_events_only": "F"}
        return self._ask(f"/race/{race_id:d}", params, lambda answer: races.race(answer, race_id=race_id))

    def participants_page(
        self,
        *,
        race_id: int,
        event_ids: Sequence[int],
        after_registration_id: int = 0,
        modified_after: int | None = None,
        page_size: int = paging.PAGE_SIZE,
    ) -> ParticipantPage:
        """A page of active participants with ids above `after_registration_id`, in the order of their ids.

        `modified_after`: Unix seconds, inclusive; None asks for everybody.
        """
        params = {
            **_rows_asked(event_ids, after_registration_id, modified_after, page_size),
            "include_questions": "T",
            "include_user_anonymous_flag": "T",
        }
        return self._ask(f"/race/{race_id:d}/participants", params, parsing.participant_page)

    def removed_page(
        self,
        *,
        race_id: int,
        event_ids: Sequence[int],
        after_registration_id: int = 0,
        modified_after: int | None = None,
        page_size: int = paging.PAGE_SIZE,
    ) -> RemovedPage:
        """A page of registrations that are no longer active; arguments as for `participants_page`."""
        params = {
            **_rows_asked(event_ids, after_registration_id, modified_after, page_size),
            # The condensed form has no time of the removal.
            "condensed_format": "F",
        }
        return self._ask(f"/race/{race_id:d}/removed-participants", params, parsing.removed_page)

    def participant_counts(self, *, race_id: int, event_ids: Sequence[int]) -> dict[int, int]:
        """Active registrations by event id."""
        params = {"event_id": _id_list(event_ids)}
        return self._ask(f"/race/{race_id:d}/participant-counts", params, parsing.participant_counts)

    def credential_test(self, *, now: datetime) -> CredentialReport:
        """What this key sees, in at most two calls. Raises Unexpected when it sees the public catalogue."""
        page = self.races_page(page=1, start_date=(now - timedelta(days=1)).date())
        if page.size >= MOST_RACES:
            raise paging.public_catalogue(page.size)
        upcoming = [
            (event.starts_at, event.event_id, race, event)
            for race in page.races
            for event in race.events
            if event.starts_at is not None and event.starts_at >= now
        ]
        report = f"The key sees {_counted(page.size, 'race')} and {_counted(len(upcoming), 'upcoming event')}."
        if not upcoming:
            readable, detail = None, f"{report} There was no upcoming event to read participants of."
        else:
            _starts_at, _event_id, race, event = min(upcoming, key=lambda item: item[:2])
            readable, detail = self._readable(race, event)
            detail = f"{report} {detail}"
        return CredentialReport(
            races=page.size,
            upcoming_events=len(upcoming),
            participants_readable=readable,
            detail=detail,
            upcoming_races=tuple(
                {
                    race.race_id: race.name for _at, _id, race, _event in sorted(upcoming, key=lambda item: item[:2])
                }.items()
            ),
        )

    def _readable(self, race: RaceDocument, event: EventDocument) -> tuple[bool, str]:
        shown = f"{race.name}, {event.name}"
        try:
            self.participants_page(race_id=race.race_id, event_ids=[event.event_id], page_size=1)
        except Refused as error:
            if error.scope == "key":
                raise
            return False, f"It may not read the participants of {shown}: {error.text}"
        except Gone as error:
            return False, f"The participants of {shown} could not be read: {error.text}"
        return True, f"It can read the participants of {shown}."

    def _ask(self, path: str, params: dict[str, str], read: Callable[[Answer], T]) -> T:
        with self._gate():
            self.calls += 1
            return read(self._transport.get(path, params))


def _rows_asked(
    event_ids: Sequence[int], after_registration_id: int, modified_after: int | None, page_size: int
) -> dict[str, str]:
    params = {
        "event_id": _id_list(event_ids),
        "results_per_page": str(_bounded(page_size, MOST_PARTICIPANTS)),
        "sort": "registration_id ASC",
        "after_registration_id": str(after_registration_id),
        # Without it the gender X is withheld (contract §3.5).
        "supports_nb": "T",
    }
    if modified_after is not None:
        # Seconds; a text with a date silently matches nothing (contract §3.2).
        params["modified_after_timestamp"] = str(int(modified_after))
    return params


def _id_list(ids: Sequence[int]) -> str:
    if not ids:
        raise ValueError("Without an event id the provider answers with an error or with nothing.")
    return ",".join(str(int(one)) for one in ids)


def _bounded(page_size: int, most: int) -> int:
    if not 1 <= page_size <= most:
        raise ValueError(f"A page has 1 to {most} rows, not {page_size}.")
    return page_size


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
