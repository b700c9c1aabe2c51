"""The page of one participant: who it is now, and every change on record, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from races.change_words import REMOVED_REASONS
from races.history import full_name
from races.models import Participant, ParticipantChange
from races.registrations import change_sentences, predecessor_of, successor_of
from sync.core.tiers import zone_of
from sync.models import EventSync, SyncRun
from sync.services.policies import policy_now
from sync.web.race_status import RaceHeader, race_header
from sync.web.scheduler import banner_text, last_beat
from sync.web.times import Moment, moment
from sync.web.words import ICONS, TRIGGERS, Kind

CHANGES_PER_PAGE = 50
# No address, no mail, no phone, no date of birth: what the start list shows, and no more.
SHOWN = (
    "registration_id", "event", "bib", "chip", "first_name", "middle_name", "last_name", "gender", "age", "city",
    "state", "team_name", "is_anonymous", "registered_at", "removed_at", "removed_reason", "successor_registration_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRegistration:
    """The same person's next or former registration. `text`: in which event and with which bib."""

    pk: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLink:
    """The sync run that brought a change. `text`: what asked for it ("Schedule")."""

    pk: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    at: Moment
    text: str
    run: RunLink | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantPage:
    """`state`: Registered, Withdrawn or Moved, with `reason` and `left` for who is not in the list. `as_of`,
    `withdrawals_as_of`: of the event's list. `blanked`: when contact data was blanked."""

    race: RaceHeader
    event_pk: int
    event_name: str
    pk: int
    registration_id: int
    name: str
    bib: str
    chip: str
    gender: str
    age: str
    place: str
    team: str
    is_anonymous: bool
    registered: Moment | None
    state: str
    kind: Kind
    icon: str
    reason: str
    left: Moment | None
    successor: OtherRegistration | None
    predecessor: OtherRegistration | None
    as_of: Moment | None
    withdrawals_as_of: Moment | None
    blanked: Moment | None
    changes: tuple[ChangeRow, ...]
    page: Page[ParticipantChange]
    banner: str


def people_with_event(people: QuerySet[Participant]) -> QuerySet[Participant]:
    """What `participant_page` needs, and no contact data."""
    key = "event__race__credential"
    return people.select_related("event__race__partner", "event__race__credential__partner").only(
        *SHOWN,
        *(f"event__{name}" for name in ("name", "race", "blanked_at")),
        *(f"event__race__{name}" for name in _RACE),
        *(f"event__race__partner__{name}" for name in ("name", "slug", "is_active")),
        *(f"{key}__{name}" for name in ("label", "status", "partner")),
        *(f"{key}__partner__{name}" for name in ("name", "slug", "is_active")),
    )


_RACE = (
    "partner", "credential", "provider_race_id", "name", "timezone", "city", "state", "url", "sync_enabled", "gone_at",
)  # fmt: skip


def participant_page(*, person: Participant, page_number: str | None, now: datetime) -> ParticipantPage:
    """`person` from `people_with_event`."""
    event, race = person.event, person.event.race
    zone = zone_of(race.timezone)
    successor, predecessor = successor_of(person), predecessor_of(person)
    sync = EventSync.objects.filter(event=event).only("checked_at", "removals_checked_at").first()
    newest_first = ParticipantChange.objects.filter(participant=person).order_by("-at", "-pk")
    page = Paginator(newest_first, CHANGES_PER_PAGE).get_page(page_number)
    changes = list(page.object_list)
    sentences = change_sentences(person, changes, successor=successor, predecessor=predecessor, zone=zone)
    state, kind, reason = _state(person, successor)
    return ParticipantPage(
        race=race_header(race, now=now),
        event_pk=event.pk,
        event_name=event.name,
        pk=person.pk,
        registration_id=person.registration_id,
        name=full_name(person) or f"Registration {person.registration_id}",
        bib=person.bib,
        chip=person.chip,
        gender=person.gender,
        age="" if person.age is None else str(person.age),
        place=", ".join(part for part in (person.city, person.state) if part),
        team=person.team_name,
        is_anonymous=person.is_anonymous,
        registered=moment(person.registered_at, zone=zone, now=now),
        state=state,
        kind=kind,
        icon=ICONS[kind],
        reason=reason,
        left=moment(person.removed_at, zone=zone, now=now),
        successor=_other(successor),
        predecessor=_other(predecessor),
        as_of=moment(sync.checked_at if sync else None, zone=zone, now=now),
        withdrawals_as_of=moment(sync.removals_checked_at if sync else None, zone=zone, now=now),
        blanked=moment(event.blanked_at, zone=zone, now=now),
        changes=_change_rows(changes, sentences, zone=zone, now=now),
        page=page,
        banner=banner_text(last_beat(now=now, policy=policy_now()), zone=zone, now=now),
    )


def _state(person: Participant, successor: Participant | None) -> tuple[str, Kind, str]:
    if person.removed_at is None:
        return "Registered", Kind.GOOD, ""
    reason = REMOVED_REASONS.get(person.removed_reason, person.removed_reason)
    if person.removed_reason != "transferred":
        return "Withdrawn", Kind.IDLE, reason
    if successor is None:
        return "Moved", Kind.IDLE, f"{reason}, which the mirror does not have"
    same = successor.event_id == person.event_id
    return "Moved", Kind.IDLE, "passed on to another registration" if same else f"moved to {successor.event.name}"


def _other(person: Participant | None) -> OtherRegistration | None:
    if person is None:
        return None
    bib = f", bib {person.bib}" if person.bib else ", no bib"
    return OtherRegistration(pk=person.pk, text=f"{person.event.name}{bib}")


def _change_rows(
    changes: Sequence[ParticipantChange], sentences: Sequence[str], *, zone: tzinfo, now: datetime
) -> tuple[ChangeRow, ...]:
    runs = SyncRun.objects.only("trigger").in_bulk({change.sync_run_id for change in changes if change.sync_run_id})
    rows = []
    for change, sentence in zip(changes, sentences, strict=True):
        at = moment(change.at, zone=zone, now=now)
        assert at is not None  # noqa: S101 - a change always has a time
        rows.append(ChangeRow(at=at, text=sentence, run=_run_link(change, runs)))
    return tuple(rows)


def _run_link(change: ParticipantChange, runs: Mapping[int, SyncRun]) -> RunLink | None:
    run = runs.get(change.sync_run_id or 0)
    return RunLink(pk=run.pk, text=TRIGGERS.get(run.trigger, run.trigger)) if run else None
