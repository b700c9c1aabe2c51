"""The page of one participant: who it is now, and every change on record, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from races.change_words import REMOVED_REASONS, Move, change_text
from races.history import full_name, states_of
from races.models import Participant, ParticipantChange
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
    successor, predecessor = _successor(person), _predecessor(person)
    sync = EventSync.objects.filter(event=event).only("checked_at", "removals_checked_at").first()
    newest_first = ParticipantChange.objects.filter(participant=person).order_by("-at", "-pk")
    page = Paginator(newest_first, CHANGES_PER_PAGE).get_page(page_number)
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
        changes=_change_rows(
            list(page.object_list), person=person, others=(predecessor, successor), zone=zone, now=now
        ),
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


def _successor(person: Participant) -> Participant | None:
    if person.successor_registration_id is None:
        return None
    found = _of_same_race(person).filter(registration_id=person.successor_registration_id)
    # The active one, when the registration passed through several events.
    return found.order_by("-removed_at").exclude(removed_at__isnull=False).first() or found.first()


def _predecessor(person: Participant) -> Participant | None:
    found = _of_same_race(person).filter(successor_registration_id=person.registration_id, removed_reason="transferred")
    return found.order_by("-removed_at").first()


def _of_same_race(person: Participant) -> QuerySet[Participant]:
    others = Participant.objects.filter(event__race=person.event.race_id).exclude(pk=person.pk)
    return others.select_related("event").only(*SHOWN, "event__name")


def _other(person: Participant | None) -> OtherRegistration | None:
    if person is None:
        return None
    bib = f", bib {person.bib}" if person.bib else ", no bib"
    return OtherRegistration(pk=person.pk, text=f"{person.event.name}{bib}")


def _change_rows(
    changes: Sequence[ParticipantChange],
    *,
    person: Participant,
    others: tuple[Participant | None, Participant | None],
    zone: tzinfo,
    now: datetime,
) -> tuple[ChangeRow, ...]:
    runs = SyncRun.objects.only("trigger").in_bulk({change.sync_run_id for change in changes if change.sync_run_id})
    moves = _moves(person, *others)
    rows = []
    for change in changes:
        at = moment(change.at, zone=zone, now=now)
        assert at is not None  # noqa: S101 - a change always has a time
        text = change_text(change, zone=zone, move=moves.get(change.kind) if _asks_for_move(change) else None)
        rows.append(ChangeRow(at=at, text=text, run=_run_link(change, runs)))
    return tuple(rows)


def _run_link(change: ParticipantChange, runs: Mapping[int, SyncRun]) -> RunLink | None:
    run = runs.get(change.sync_run_id or 0)
    return RunLink(pk=run.pk, text=TRIGGERS.get(run.trigger, run.trigger)) if run else None


def _asks_for_move(change: ParticipantChange) -> bool:
    """A transfer whose note names the event says it better: as it was then."""
    return change.kind == "added" or (change.kind == "transferred" and "event" not in change.changes)


def _moves(person: Participant, predecessor: Participant | None, successor: Participant | None) -> dict[str, Move]:
    moves = {}
    if predecessor is not None:
        moves["added"] = Move(
            from_event=predecessor.event.name,
            to_event=person.event.name,
            old_bib=predecessor.bib,
            new_bib=_first_bib(person),
        )
    if successor is not None:
        # Which bib it got at first is told on its own page.
        moves["transferred"] = Move(
            from_event=person.event.name, to_event=successor.event.name, old_bib=None, new_bib=None
        )
    return moves


def _first_bib(person: Participant) -> str:
    """With which bib the registration began: the present one, unless it changed since."""
    of_bibs = ParticipantChange.objects.filter(participant=person, changes__has_key="bib").order_by("at", "pk")
    return states_of(person, list(of_bibs))[0].bib
