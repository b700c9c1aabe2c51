"""What an exported start list looks like: its columns, its cells, its bytes as CSV and JSON, and how it is remembered.

Pure. Everything is made row by row, so that a list of 20,000 people costs no more memory than one of 20.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import msgspec

# A row holds these, in this order; the headings are the words that RunSignUp's own reports use.
COLUMNS: dict[str, str] = {
    "bib": "Bib",
    "chip": "Chip",
    "first_name": "First Name",
    "last_name": "Last Name",
    "gender": "Gender",
    "age": "Age",
    "team": "Team",
    "event": "Event",
    "city": "City",
    "state": "State",
    "country": "Country",
    "registration_id": "Registration ID",
    "event_id": "Event ID",
    "anonymous": "Anonymous",
}
NAMES = tuple(COLUMNS)
# First, because a program that does not know the byte order mark sees it as a part of the first heading: there it may
# spoil this column, which no program imports, and not the bib.
AS_OF = "As Of"

Row = Sequence[object]
"""The values of COLUMNS: texts, but for age (int or None), registration_id and event_id (int) and anonymous (bool)."""

# Excel on Windows takes a file without it for Windows-1252 and shows "ZoÃ«".
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ROWS_AT_ONCE = 500
READ_AT_ONCE = 65_536

_FORMULA = "=+-@\N{MINUS SIGN}"
_LINE_BREAKERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Where lists are separated by semicolons, Excel begins a new cell after one, quotes or not.
_CELL_WITHIN = re.compile(r"(;\s*)(?=[=+\-@\u2212＝＋－＠﹢﹣﹦﹫])")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """An event of an export. `pk`: ours, `id`: the provider's; both times None: never loaded, never asked."""

    pk: int
    id: int
    name: str
    as_of: datetime | None
    withdrawals_as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What an export says beside its people. `race_id`: the provider's; `timezone`: an IANA name."""

    race_id: int
    race: str
    timezone: str
    made_at: datetime
    events: tuple[ListedEvent, ...]

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.timezone)

    @property
    def as_of(self) -> datetime | None:
        """The oldest of its events' lists; None when one of them was never loaded."""
        return oldest(event.as_of for event in self.events)

    @property
    def withdrawals_as_of(self) -> datetime | None:
        return oldest(event.withdrawals_as_of for event in self.events)


def oldest(times: Iterable[datetime | None]) -> datetime | None:
    known: list[datetime] = []
    for at in times:
        if at is None:
            return None
        known.append(at)
    return min(known, default=None)


def stamp(at: datetime | None, *, zone: tzinfo) -> str:
    """ "2026-06-06 05:12:40 EDT", "never" for None."""
    if at is None:
        return "never"
    local = at.astimezone(zone)
    name = f"{local:%Z}"
    return f"{local:%Y-%m-%d %H:%M:%S} {'UTC' if name[:1] in '+-' else ''}{name}"


def cell(value: object) -> str:
    """The value as one cell of a CSV: on one line, and never a formula in whatever opens it."""
    if value is None or isinstance(value, bool):
        return "Yes" if value else ""
    text = str(value)
    if text[:1].isalnum() and text.isprintable() and ";" not in text:
        return text.rstrip()
    text = _LINE_BREAKERS.sub(" ", text).strip()
    text = _CELL_WITHIN.sub(r"\1'", text)
    return f"'{text}" if _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Also behind what cannot be seen, and in the wide and small forms that Excel in East Asia reads as the plain."""
    for character in text:
        if character.isspace() or unicodedata.category(character) in {"Cc", "Cf"}:
            continue
        return unicodedata.normalize("NFKC", character)[:1] in _FORMULA
    return False


def csv_lines(heading: Heading, rows: Iterable[Row]) -> Iterator[bytes]:
    """The first line is the headings: whatever else stood there, an import program would take for them."""
    as_of: dict[object, str] = {event.id: stamp(event.as_of, zone=heading.zone) for event in heading.events}
    event_id = NAMES.index("event_id")
    yield BYTE_ORDER_MARK
    yield from csv_table([AS_OF, *COLUMNS.values()], ([as_of[row[event_id]], *row] for row in rows))


def csv_table(headings: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """Lines of cells, some hundred at once."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(headings)
    for number, row in enumerate(rows, start=1):
        writer.writerow([cell(value) for value in row])
        if number % ROWS_AT_ONCE == 0:
            yield _emptied(buffer)
    yield _emptied(buffer)


def _emptied(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def json_lines(heading: Heading, rows: Iterable[Row]) -> Iterator[bytes]:
    """One object; each person on a line of its own. Values are the provider's, nothing is made inert."""

    def local(at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(heading.zone).isoformat(timespec="seconds")

    head = {
        "race": {"id": heading.race_id, "name": heading.race, "timezone": heading.timezone},
        "events": [
            {
                "id": event.id,
                "name": event.name,
                "as_of": local(event.as_of),
                "withdrawals_as_of": local(event.withdrawals_as_of),
            }
            for event in heading.events
        ],
        "as_of": local(heading.as_of),
        "withdrawals_as_of": local(heading.withdrawals_as_of),
        "made_at": local(heading.made_at),
    }
    yield msgspec.json.encode(head)[:-1] + b',"participants":['
    waiting: list[bytes] = []
    first = True
    for row in rows:
        waiting.append((b"\n" if first else b",\n") + msgspec.json.encode(dict(zip(NAMES, row, strict=True))))
        first = False
        if len(waiting) == ROWS_AT_ONCE:
            yield b"".join(waiting)
            waiting.clear()
    yield b"".join(waiting) + b"\n]}\n"


class SnapshotWriter:
    """Packs rows one by one: {participant pk: row} as JSON, compressed, each person on a line of its own."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj()
        self._parts = [self._packer.compress(b"{")]
        self.rows = 0

    def add(self, pk: int, row: Row) -> None:
        lead = b",\n" if self.rows else b"\n"
        self._parts.append(self._packer.compress(b'%s"%d":%s' % (lead, pk, msgspec.json.encode(row))))
        self.rows += 1

    def packed(self) -> bytes:
        """Once, at the end."""
        return b"".join([*self._parts, self._packer.compress(b"\n}"), self._packer.flush()])


def snapshot_rows(snapshot: bytes) -> Iterator[tuple[int, Row]]:
    """The participants' pks and rows in the order in which they were added, unpacked bit by bit."""
    packed, unpacker, rest = memoryview(snapshot), zlib.decompressobj(), b""
    for start in range(0, len(packed), READ_AT_ONCE):
        *lines, rest = (rest + unpacker.decompress(packed[start : start + READ_AT_ONCE])).split(b"\n")
        for line in lines:
            if line != b"{":
                pk, _colon, row = line.rstrip(b",").partition(b":")
                yield int(pk.strip(b'"')), msgspec.json.decode(row)


def snapshot_whole(snapshot: bytes) -> dict[int, Row]:
    """All at once, which is several times faster."""
    return msgspec.json.decode(zlib.decompress(snapshot), type=dict[int, list])
