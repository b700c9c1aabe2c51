"""Participants and removals: from a page's bytes to typed rows (contract §3.4, §3.6).

A page is cut into the provider's own bytes per participant; only the ids are read. Whoever stores them compares
hashes and calls `decode_participant` for what is new: decoding everything costs three times as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from partners.documents import (
    ParticipantDocument,
    ParticipantPage,
    ParticipantRow,
    RejectedRow,
    RemovedPage,
    RemovedRow,
    RowError,
)
from partners.runsignup import times
from partners.runsignup.answer import Answer
from partners.runsignup.bodies import body_of, decode, refuse_error, unknown_shape
from partners.runsignup.errors import Unexpected
from partners.runsignup.usual_participant import usual_participant
from partners.runsignup.values import (
    LONGEST_ANSWER,
    LONGEST_BIB,
    Flag,
    Scalar,
    age,
    flag,
    gender,
    money,
    optional_id,
    required_id,
    text,
    whole_number,
)

# The provider sends at most 2,500 a page (contract §3.1); far more would be another answer than the one we asked for.
MOST_ROWS = 10_000
# `removed_reason` is one short word; the column holds 20 characters.
LONGEST_REASON = 20


class _Wrapper(Struct):
    """One element of the outer list. Active rows hang here, removed ones in `event` (trap 4)."""

    event: Raw | UnsetType = UNSET
    participants: list[Raw] | UnsetType | None = UNSET
    error: Raw = Raw(b"null")


class _RemovedEvent(Struct):
    event_id: Scalar = None
    participants: list[Raw] | None = None


_Bigint = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _UsualIds(Struct, gc=False):
    """The ids of nearly every row: msgspec does in one go for a page what would be a dozen steps of Python a row."""

    registration_id: Annotated[int, Meta(gt=0, le=2**63 - 1)]
    event_id: _Bigint
    last_modified: _Bigint | None = None


class _UsualWrapper(Struct, gc=False):
    participants: list[_UsualIds] | None = None


class _Ids(Struct):
    registration_id: Scalar = None
    event_id: Scalar = None
    last_modified: Scalar = None


class _Removed(Struct):
    registration_id: Scalar = None
    event_id: Scalar = None
    removed_reason: Scalar = None
    new_registration_id: Scalar = None
    last_modified_ts: Scalar = None
    last_modified: Scalar = None


class _Count(Struct):
    event_id: Scalar
    num_participants: Scalar


class _Counts(Struct):
    participant_counts: list[_Count]


_WRAPPERS = msgspec.json.Decoder(list[_Wrapper])
_BARE_WRAPPER = msgspec.json.Decoder(_Wrapper)
_REMOVED_EVENT = msgspec.json.Decoder(_RemovedEvent)
_USUAL_IDS = msgspec.json.Decoder(_UsualIds)
_USUAL_PAGE = msgspec.json.Decoder(list[_UsualWrapper])
_IDS = msgspec.json.Decoder(_Ids)
_ELEMENTS = msgspec.json.Decoder(list[dict[str, Raw]])
_KNOWN = {"event", "participants"}
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_REMOVED = msgspec.json.Decoder(_Removed)
_COUNTS = msgspec.json.Decoder(_Counts)


def participant_page(answer: Answer) -> ParticipantPage:
    """One page of active participants. Raises ProviderError: what is not clearly a list of rows is never empty."""
    wrappers = _wrappers(answer)
    found = [raw for wrapper in wrappers for raw in wrapper.participants or ()]
    if not found and any(True for wrapper in wrappers for _row in _removed_of(wrapper)):
        raise unknown_shape("rows only where the removed ones belong")
    rows, rejected = _usual_rows(answer.body, _bounded(found)), []
    if not rows:
        read = [_participant_row(raw) for raw in found]
        rows = [row for row in read if isinstance(row, ParticipantRow)]
        rejected = [row for row in read if isinstance(row, RowError)]
    ids = [row.registration_id for row in rows]
    ids += [bad.registration_id for bad in rejected if bad.registration_id is not None]
    return ParticipantPage(
        rows=tuple(rows),
        rejected=tuple(rejected),
        size=len(found),
        last_registration_id=max(ids, default=None),
        server_time=answer.server_time,
    )


def removed_page(answer: Answer) -> RemovedPage:
    """One page of registrations that are no longer active. Raises ProviderError."""
    rows: list[RemovedRow] = []
    rejected: list[RowError] = []
    ids: list[int] = []
    wrappers = _wrappers(answer)
    found = [pair for wrapper in wrappers for pair in _removed_of(wrapper)]
    if not found and any(wrapper.participants for wrapper in wrappers):
        raise unknown_shape("rows only where the active ones belong")
    for event_id, raw in _bounded(found):
        row = _removed_row(bytes(raw), event_id)
        if isinstance(row, RemovedRow):
            rows.append(row)
        elif row is not None:
            rejected.append(row)
        if row is not None and row.registration_id is not None:
            ids.append(row.registration_id)
    return RemovedPage(
        rows=tuple(rows),
        rejected=tuple(rejected),
        size=len(found),
        last_registration_id=max(ids, default=None),
        server_time=answer.server_time,
    )


def participant_counts(answer: Answer) -> dict[int, int]:
    """Active registrations by event id. Raises ProviderError."""
    counts: dict[int, int] = {}
    for item in decode(body_of(answer, asked="race"), _COUNTS).participant_counts:
        event_id, count = whole_number(item.event_id), whole_number(item.num_participants)
        if event_id is None or count is None or count < 0:
            raise unknown_shape("a count is not a number")
        counts[event_id] = count
    return counts


def _wrappers(answer: Answer) -> list[_Wrapper]:
    body = body_of(answer, asked="race")
    # The documentation shows a bare object, live answers are lists (contract §3.4).
    bare = body.startswith(b"{")
    wrappers = [decode(body, _BARE_WRAPPER)] if bare else decode(body, _WRAPPERS)
    for wrapper in wrappers:
        refuse_error(bytes(wrapper.error), answer, asked="race")
    strange = any(wrapper.event is UNSET and wrapper.participants is UNSET for wrapper in wrappers)
    if strange and (bare or any(element and not element.keys() & _KNOWN for element in decode(body, _ELEMENTS))):
        # [] and [{}] are true empties (trap 6); a list of anything else that we do not know is not.
        raise unknown_shape("neither an event nor participants")
    return wrappers


def _bounded(found: list) -> list:
    if len(found) > MOST_ROWS:
        raise Unexpected(f"RunSignUp sent {len(found)} rows in one page, many more than asked.", http_status=200)
    return found


def _usual_rows(body: bytes, found: Sequence[Raw]) -> list[ParticipantRow]:
    """The rows of a page on which all are usual; empty for any other, whose rows are read one by one."""
    try:
        ids = [row for wrapper in _USUAL_PAGE.decode(body) for row in wrapper.participants or ()]
    except (ValueError, RecursionError):
        return []
    return [_row(row, raw) for row, raw in zip(ids, found, strict=True)] if len(ids) == len(found) else []


def _row(ids: _UsualIds, raw: Raw) -> ParticipantRow:
    return ParticipantRow(
        registration_id=ids.registration_id, event_id=ids.event_id, last_modified=ids.last_modified, raw=raw
    )


def _participant_row(raw: Raw) -> ParticipantRow | RowError | None:
    """None for the template row, which is no registration (trap 31)."""
    try:
        return _row(_USUAL_IDS.decode(raw), raw)
    except (ValueError, RecursionError):
        return _unusual_row(raw)


def _unusual_row(raw: Raw) -> ParticipantRow | RowError | None:
    try:
        ids = _IDS.decode(raw)
    except (ValueError, RecursionError):
        ids = _ids_one_by_one(raw)
    registration_id = whole_number(ids.registration_id)
    if registration_id is None:
        reason = "registration_id is missing." if ids.registration_id is None else "registration_id is not a number."
        return RowError(registration_id=None, reason=reason)
    if registration_id <= 0:
        return None
    event_id = whole_number(ids.event_id)
    if event_id is None:
        return RowError(registration_id=registration_id, reason="event_id is missing or not a number.")
    return ParticipantRow(
        registration_id=registration_id, event_id=event_id, last_modified=whole_number(ids.last_modified), raw=raw
    )


def _ids_one_by_one(raw: bytes | Raw) -> _Ids:
    """What can be read of a row in which one of the ids is of the wrong type."""
    try:
        fields = _FIELDS.decode(raw)
    except (ValueError, RecursionError):
        return _Ids()
    ids = _Ids()
    for name in ids.__struct_fields__:
        try:
            value = msgspec.json.decode(fields.get(name, b"null"))
        except (ValueError, RecursionError):
            value = None
        setattr(ids, name, value)
    return ids


def _removed_of(wrapper: _Wrapper) -> Iterator[tuple[int | None, Raw]]:
    # An event without content may be null or, from PHP, an empty list.
    if wrapper.event is UNSET or bytes(wrapper.event).strip() in {b"null", b"[]"}:  # type: ignore[arg-type]
        return
    event = decode(bytes(wrapper.event), _REMOVED_EVENT)  # type: ignore[arg-type]
    for raw in event.participants or ():
        yield whole_number(event.event_id), raw


def _removed_row(raw: bytes, wrapper_event_id: int | None) -> RemovedRow | RowError | None:
    registration_id: int | None = None
    try:
        registration_id = whole_number(_ids_one_by_one(raw).registration_id)
        if registration_id is not None and registration_id <= 0:
            return None
        row = _REMOVED.decode(raw)
        return RemovedRow(
            registration_id=required_id(row.registration_id, "registration_id"),
            event_id=whole_number(row.event_id) or wrapper_event_id,
            reason=(text(row.removed_reason, "removed_reason").lower() or "removed")[:LONGEST_REASON],
            successor_registration_id=optional_id(row.new_registration_id, "new_registration_id"),
            # The timestamp is newer than the text; old answers have only the text (contract §3.6).
            removed_at=times.unix(row.last_modified_ts) or times.eastern(row.last_modified),
        )
    except RejectedRow as error:
        return RowError(registration_id=registration_id, reason=str(error))
    except (ValueError, RecursionError) as error:
        return RowError(registration_id=registration_id, reason=_unreadable(error))


class _Address(Struct):
    street: Scalar = None
    city: Scalar = None
    state: Scalar = None
    zipcode: Scalar = None
    country_code: Scalar = None


class _User(Struct):
    user_id: Scalar = None
    first_name: Scalar = None
    middle_name: Scalar = None
    last_name: Scalar = None
    email: Scalar = None
    phone: Scalar = None
    dob: Scalar = None
    gender: Scalar = None
    address: _Address | None = None
    is_anonymous: Flag = None


class _Question(Struct):
    question_id: Scalar = None
    question_text: Scalar = None
    response: Scalar = None
    responses: list[Scalar] | None = None


class _Participant(Struct):
    user: _User
    registration_id: Scalar = None
    event_id: Scalar = None
    bib_num: Scalar = None
    chip_num: Scalar = None
    age: Scalar = None
    team_id: Scalar = None
    team_name: Scalar = None
    registration_date: Scalar = None
    last_modified: Scalar = None
    amount_paid: Scalar = None
    imported: Flag = None
    question_responses: list[_Question] | None = None


_PARTICIPANT = msgspec.json.Decoder(_Participant)


def decode_participant(raw: bytes) -> ParticipantDocument:
    """The participant in a row's bytes. Raises RejectedRow when it cannot be stored."""
    try:
        # Also what nobody reads here is stored as text.
        raw.decode()
        if (usual := usual_participant(raw)) is not None:
            return usual
        row = _PARTICIPANT.decode(raw)
    except (ValueError, RecursionError) as error:
        raise RejectedRow(_unreadable(error)) from None
    user = row.user
    address = user.address or _Address()
    return ParticipantDocument(
        registration_id=required_id(row.registration_id, "registration_id"),
        event_id=required_id(row.event_id, "event_id"),
        user_id=optional_id(user.user_id, "user_id"),
        first_name=text(user.first_name, "first_name"),
        middle_name=text(user.middle_name, "middle_name"),
        last_name=text(user.last_name, "last_name"),
        email=text(user.email, "email"),
        phone=text(user.phone, "phone"),
        dob=times.calendar_date(user.dob),
        gender=gender(user.gender),
        age=age(row.age),
        street=text(address.street, "street"),
        city=text(address.city, "city"),
        state=text(address.state, "state"),
        zipcode=text(address.zipcode, "zipcode"),
        country_code=text(address.country_code, "country_code"),
        bib=text(row.bib_num, "bib_num", longest=LONGEST_BIB),
        chip=text(row.chip_num, "chip_num"),
        team_id=optional_id(row.team_id, "team_id"),
        team_name=text(row.team_name, "team_name"),
        registered_at=times.eastern(row.registration_date),
        modified_at=times.unix(row.last_modified),
        amount_paid=money(row.amount_paid),
        imported=flag(row.imported),
        is_anonymous=flag(user.is_anonymous),
        answers=tuple(_answers(row.question_responses or ())),
    )


def _unreadable(error: Exception) -> str:
    """Why a row cannot be decoded, without the person's data: msgspec names types and the path."""
    if isinstance(error, msgspec.ValidationError):
        return f"{error}."
    if isinstance(error, UnicodeDecodeError):
        return "The row is not valid UTF-8."
    if isinstance(error, RecursionError):
        return "The row is nested too deeply."
    return "The row contains a broken character."


def _answers(questions: Iterable[_Question]) -> Iterator[dict[str, object]]:
    for question in questions:
        response: str | list[str] | None = None
        if question.response is not None:
            response = text(question.response, "an answer", longest=LONGEST_ANSWER)
        elif question.responses is not None:
            response = [text(choice, "an answer", longest=LONGEST_ANSWER) for choice in question.responses]
        yield {
            "question_id": required_id(question.question_id, "question_id"),
            "question": text(question.question_text, "a question", longest=LONGEST_ANSWER),
            "response": response,
        }
