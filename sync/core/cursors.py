"""Where an incremental fetch starts: provider time in Unix seconds, inclusive, with overlap (contract §3.2)."""

from __future__ import annotations

OVERLAP = 60
# A Date header further from our clock than this is not believed: one of the two clocks jumped.
BELIEVABLE = 300


def next_cursor(*, before: int | None, newest_seen: int | None, server_time: int | None, now: int) -> int | None:
    """The cursor after an error-free fetch; it never goes back.

    `server_time`: the Date header at the start of the fetch. When it cannot be believed the newest `last_modified`
    counts, but a row from the future must not push the cursor past what could have happened yet.
    """
    if server_time is not None and abs(server_time - now) <= BELIEVABLE:
        found: int | None = server_time
    elif newest_seen is not None:
        found = min(newest_seen, now, server_time if server_time is not None else now)
    else:
        found = None
    if found is None:
        return before
    return max(found - OVERLAP, before if before is not None else 0)
