"""The tables of docs/rights.md, and every address of the installation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "rights.md"
ANSWERS = {"yes", "403", "404", "login"}
VERBS = {"look", "add", "change", "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRow:
    """`answers`: by role, one of ANSWERS."""

    name: str
    method: str
    answers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`name`: with its namespace; where Django gives it none, its path. `parts`: the named parts of the path, in order.
    `record`: "app.model" for the pages that each record of the admin has, else ""; `page`: which of them."""

    name: str
    path: str
    parts: tuple[str, ...]
    record: str
    page: str


def address_rows() -> list[AddressRow]:
    return [
        AddressRow(name=row.pop("address"), method=row.pop("method"), answers=row) for row in _table("## Addresses")
    ]


def record_rows() -> dict[str, dict[str, set[str]]]:
    """{"app.model": {role: verbs}}"""
    return {
        row.pop("record"): {role: set() if cell == "–" else set(cell.split(", ")) for role, cell in row.items()}
        for row in _table("## Records in the admin")
    }


def _table(heading: str) -> list[dict[str, str]]:
    section = DOCUMENT.read_text().split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    head, _line, *rows = [_cells(line) for line in section.splitlines() if line.startswith("|")]
    return [dict(zip(head, row, strict=True)) for row in rows]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def addresses() -> list[Address]:
    return list(_walk(get_resolver().url_patterns, path="", namespace=""))


def _walk(patterns: list[URLPattern | URLResolver], *, path: str, namespace: str) -> Iterator[Address]:
    for pattern in patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, path=here, namespace=inner)
        else:
            record, page = _admin_page(namespace, pattern.name, here)
            parts = tuple(re.findall(r"<(?:\w+:)?(\w+)>", here))
            yield Address(
                name=f"{namespace}{pattern.name}" if pattern.name else here,
                path=here,
                parts=parts,
                record=record,
                page=page,
            )


PAGES = ("changelist", "add", "history", "delete", "change")


def _admin_page(namespace: str, name: str | None, path: str) -> tuple[str, str]:
    for model in admin.site._registry if namespace == "admin:" else ():
        label, app, row = model._meta.label_lower, model._meta.app_label, model._meta.model_name
        if name is None and path == f"admin/{app}/{row}/<path:object_id>/":
            return label, "short"
        for page in PAGES:
            if name == f"{app}_{row}_{page}":
                return label, page
    return "", ""
