"""The state of a running visit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from partners.documents import ParticipantPage, RemovedRow
from races.models import Race
from sync.core.cursors import OVERLAP, next_cursor
from sync.core.pace import Pace
from sync.models import EventSync, SyncRun

# What storing a page writes into a run before it is committed.
STORED_WITH_A_PAGE = ("pages", "fetched", "added", "changed", "removed", "rejected", "cursor_after")


@dataclass(slots=True, kw_only=True)
class EventVisit:
    """One event of a visit: its schedule row, its open run, and what was found so far. `seen`: who was listed; `held`:
    who is missing until a person decides; `kept`: who is missing and stays."""

    row: EventSync
    run: SyncRun
    full: bool
    present_before: set[int] = field(default_factory=set)
    missing_before: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    newest_modified: int | None = None
    held: int = 0
    kept: int = 0
    asked_by_id: bool = False

    def begin(self) -> None:
        """Forget what an earlier try of this visit saw: another answer may not complete it."""
        self.seen.clear()
        self.newest_modified = None


@dataclass(slots=True, kw_only=True)
class Visit:
    """The conversation: the race, its events, the lane's fence. `is_part`: one event of a list that was refused."""

    race: Race
    fence: int
    credential_id: int
    started_at: datetime
    events: list[EventVisit]
    pace: Pace
    is_part: bool = False
    calls_before: int = 0
    server_time: int | None = None
    removed_rows: list[RemovedRow] = field(default_factory=list)
    removals_asked: bool = False
    # Rows that could not be read, with an id: nobody of them is missing.
    unreadable: set[int] = field(default_factory=set)
    # A row without a readable id was among the pages: it may be anybody, so nobody can be called missing.
    has_nameless_rows: bool = False
    # The highest id of the pages that list everybody, or everybody from some id on; None when none were asked for.
    newest_listed: int | None = None

    @property
    def runs(self) -> dict[int, int]:
        return {item.row.event_id: item.run.pk for item in self.events}

    @property
    def id(self) -> UUID:
        return self.events[0].run.visit

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Around a transaction that stores: when it fails, the runs must not count what was rolled back."""
        before = [(item.run, name, getattr(item.run, name)) for item in self.events for name in STORED_WITH_A_PAGE]
        try:
            yield
        except BaseException:
            for run, name, value in before:
                setattr(run, name, value)
            raise

    def split(self) -> list[Visit]:
        """One visit per event, with the same runs: for an answer that refuses the list because of one of them."""
        return [
            replace(
                self,
                events=[item],
                is_part=True,
                server_time=None,
                removed_rows=[],
                removals_asked=False,
                unreadable=set(),
                has_nameless_rows=False,
                newest_listed=None,
            )
            for item in self.events
        ]

    def note_ids(self, page: ParticipantPage) -> None:
        """Ids ascend in time, so whoever is newer than all that were listed was not there yet."""
        self.newest_listed = max(self.newest_listed or 0, page.last_registration_id or 0)

    def event_ids(self, *, full: bool) -> list[int]:
        return [item.row.event.provider_event_id for item in self.events if item.full == full]


def clock_went_back(visit: Visit, *, cursor: int | None) -> bool:
    """The provider's clock is behind a cursor that it gave us: what it dates now would not be asked for."""
    return cursor is not None and visit.server_time is not None and visit.server_time < cursor


def cursor_after(visit: Visit, item: EventVisit, *, before: int | None, asked_at: datetime | None) -> int | None:
    """Where the next fetch of this event starts: provider time, never ahead of what is stored.

    `asked_at`: the start of the fetch before. Only a clock that went back moves a cursor back, and then by what may
    have happened since.
    """
    if visit.server_time is not None and clock_went_back(visit, cursor=before):
        since = visit.started_at - (asked_at or visit.started_at)
        return max(0, visit.server_time - int(since.total_seconds()) - OVERLAP)
    return next_cursor(
        before=before,
        newest_seen=item.newest_modified,
        server_time=visit.server_time,
        now=int(visit.started_at.timestamp()),
    )
