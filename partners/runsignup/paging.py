"""Walk all pages of a list. Keyset paging by registration id: nobody is skipped when rows vanish between two pages.

A page shorter than asked is the last one. A full page that does not lead further ends the walk with an error, never
with what was read so far (contract §3.3; §8, traps 8, 10, 11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from partners.documents import ParticipantPage, RacesPage, RemovedPage
from partners.runsignup.errors import Unexpected

if TYPE_CHECKING:
    from partners.runsignup.client import RunSignUpClient

PAGE_SIZE = 1000
# A race of a million registrations: beyond any real one, and an end for a list without end.
MOST_PAGES = 1000
# A timing company has some hundred races; the public catalogue has tens of thousands.
CATALOGUE_RACES = 3000


def participant_pages(
    client: RunSignUpClient,
    *,
    race_id: int,
    event_ids: Sequence[int],
    modified_after: int | None = None,
    after_registration_id: int = 0,
) -> Iterator[ParticipantPage]:
    """All active participants, or those modified at or after `modified_after`. Raises ProviderError and NoBudget."""
    after = after_registration_id
    for _ in range(MOST_PAGES):
        page = client.participants_page(
            race_id=race_id,
            event_ids=event_ids,
            after_registration_id=after,
            modified_after=modified_after,
            page_size=PAGE_SIZE,
        )
        yield page
        if page.size < PAGE_SIZE:
            return
        after = _advanced(page, after)
    raise _endless()


def removed_pages(
    client: RunSignUpClient, *, race_id: int, event_ids: Sequence[int], modified_after: int | None
) -> Iterator[RemovedPage]:
    """All registrations that left at or after `modified_after`. Raises ProviderError and NoBudget."""
    after = 0
    for _ in range(MOST_PAGES):
        page = client.removed_page(
            race_id=race_id,
            event_ids=event_ids,
            after_registration_id=after,
            modified_after=modified_after,
            page_size=PAGE_SIZE,
        )
        yield page
        if page.size < PAGE_SIZE:
            return
        after = _advanced(page, after)
    raise _endless()


def all_races(client: RunSignUpClient, *, start_date: date) -> Iterator[RacesPage]:
    """All races of the key from `start_date` on, each page once it is certain that they are the key's own.

    Raises Unexpected when the answer looks like the public catalogue: nothing of it may be imported.
    """
    pages: list[RacesPage] = []
    seen: set[int] = set()
    while sum(page.size for page in pages) < CATALOGUE_RACES:
        page = client.races_page(page=len(pages) + 1, start_date=start_date, page_size=PAGE_SIZE)
        ids = {race.race_id for race in page.races}
        if page.size >= PAGE_SIZE and ids <= seen:
            raise _stuck()
        seen |= ids
        pages.append(page)
        if page.size < PAGE_SIZE:
            yield from pages
            return
    raise public_catalogue(sum(page.size for page in pages))


def public_catalogue(races: int) -> Unexpected:
    return Unexpected(
        f"RunSignUp listed {races} races or more: this looks like the public catalogue, not like the races of this "
        "key. Nothing was imported."
    )


def _advanced(page: ParticipantPage | RemovedPage, after: int) -> int:
    if page.last_registration_id is None or page.last_registration_id <= after:
        raise _stuck()
    return page.last_registration_id


def _stuck() -> Unexpected:
    return Unexpected("RunSignUp sent the same page again: pagination does not advance.")


def _endless() -> Unexpected:
    return Unexpected(f"RunSignUp's list had not ended after {MOST_PAGES} pages.")
