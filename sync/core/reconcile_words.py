"""What the last full comparison found, as a line that people can read. Pure.

"RunSignUp 1,243 · mirror 1,243 · removed 17 · checked 06:00 EDT", and why when the two differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.core.time_words import Clock, counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A full comparison that began at `checked_at`. `listed`: people in RunSignUp's list; `mirror`: in ours right after
    it; `removed`: who left by it; `rejected`: rows that could not be stored; `kept`: not listed, yet not removed;
    `waits`: a person has to decide about them; `now`: in the mirror now, None when nobody counted."""

    listed: int
    mirror: int
    removed: int
    rejected: int
    kept: int
    waits: bool
    checked_at: datetime
    now: int | None = None


NEVER = "not compared in full yet"


def comparison_text(found: Comparison | None, *, clock: Clock) -> str:
    if found is None:
        return NEVER
    parts = [
        f"RunSignUp {found.listed:,}",
        f"mirror {found.mirror:,}",
        f"removed {found.removed:,}",
        f"checked {clock.text(found.checked_at)}",
        *_reasons(found),
    ]
    if found.now is not None and found.now != found.mirror:
        parts.append(f"mirror now {found.now:,}")
    return " · ".join(parts)


def _reasons(found: Comparison) -> list[str]:
    """Why the two numbers differ, or might hide a difference."""
    reasons = []
    if found.kept:
        until = "until staff decide" if found.waits else "by decision of staff"
        reasons.append(f"{found.kept:,} not listed, kept {until}")
    if found.rejected:
        reasons.append(f"{counted(found.rejected, 'row')} rejected")
    left = found.mirror - found.listed - found.kept
    # A rejected row is listed, and in the mirror only if an earlier state of it could be stored.
    if left > 0 or -left > found.rejected:
        reasons.append(f"{abs(left):,} came or left while it was read")
    return reasons
