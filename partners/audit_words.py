"""An audit entry in words, for the admin and the pages."""

from __future__ import annotations

from typing import Any

from partners.audit import Action
from partners.models import AuditEntry

NOBODY_KNOWN = "not known"
_LABELS = dict(Action.choices)


def who_text(entry: AuditEntry) -> str:
    """ "not known": who failed to log in, and everybody once the retention time is over."""
    return entry.username or NOBODY_KNOWN


def what_text(entry: AuditEntry) -> str:
    """An action of a later version is said as it is stored."""
    return str(_LABELS.get(entry.action, entry.action))


def detail_text(entry: AuditEntry) -> str:
    """ "high cap: 50 → 60; events: 2"."""
    return "; ".join(f"{name.replace('_', ' ')}: {_value(value)}" for name, value in entry.detail.items())


def _value(value: Any) -> str:
    if isinstance(value, list) and len(value) == 2:
        return " → ".join("nothing" if one in (None, "") else str(one) for one in value)
    return str(value)
