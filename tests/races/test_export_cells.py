"""The cells of an exported list, and that what is remembered comes back as it was."""

from __future__ import annotations

import csv
import io

import pytest

from races.export_cells import SnapshotWriter, cell, csv_table, snapshot_rows, snapshot_whole


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'=1+1"),
        ("\r=1+1", "'=1+1"),
        ("\n=1+1", "'=1+1"),
        ("  =1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠SUM(A1)", "'＠SUM(A1)"),
        ("﹣1", "'﹣1"),
        ("−1", "'−1"),
        ("\u200b=1+1", "'\u200b=1+1"),
        ("\ufeff=1+1", "'\ufeff=1+1"),
        ("\u00a0=1+1", "'=1+1"),
        ("Ann;=1+1", "Ann;'=1+1"),
        ("Ann; ＝1+1;@x", "Ann; '＝1+1;'@x"),
        (-5, "'-5"),
    ],
)
def test_a_cell_is_never_a_formula(value, shown):
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Zoë O’Malley-Ruiz", "Zoë O’Malley-Ruiz"),
        ("a@example.test", "a@example.test"),
        ("0042", "0042"),
        (37, "37"),
        (0, "0"),
        (None, ""),
        ("", ""),
        (True, "Yes"),
        (False, ""),
    ],
)
def test_what_is_no_formula_stays_as_it_is(value, shown):
    assert cell(value) == shown


@pytest.mark.parametrize("between", ["\n", "\r\n", "\r", "\t", "\x0b", "\x85", "\u2028", "\n\n"])
def test_a_cell_is_on_one_line(between):
    assert cell(f"Ridge{between}Runners") == "Ridge Runners"


def test_commas_and_quotes_in_cells_are_read_back():
    text = b"".join(csv_table(["Team"], [['The "Fast", Ones'], ["=cmd|' /C calc'!A0"]])).decode()

    rows = list(csv.reader(io.StringIO(text)))

    assert rows == [["Team"], ['The "Fast", Ones'], ["'=cmd|' /C calc'!A0"]]
    assert len(text.splitlines()) == 3


def test_a_snapshot_gives_back_its_rows_in_their_order():
    rows = [
        (7, ['Zoë\n"}],', None, True, 2**62]),
        (3, ["", 5, False, 1]),
        *((n, ["x" * 999, n]) for n in range(10, 900)),
    ]
    writer = SnapshotWriter()
    for pk, row in rows:
        writer.add(pk, row)

    snapshot = writer.packed()
    assert list(snapshot_rows(snapshot)) == rows
    assert list(snapshot_whole(snapshot).items()) == rows
    assert writer.rows == len(rows)


def test_a_snapshot_of_nobody_has_nobody():
    snapshot = SnapshotWriter().packed()
    assert list(snapshot_rows(snapshot)) == []
    assert snapshot_whole(snapshot) == {}
