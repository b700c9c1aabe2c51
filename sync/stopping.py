"""One byte that a queue process shares with its workers: set, no lane begins another visit.

Plain shared memory, no lock: a worker that is killed can neither hold it nor leave it locked.
"""

from __future__ import annotations

import mmap

_shared = mmap.mmap(-1, 1)


def request() -> None:
    _shared[0] = 1


def requested() -> bool:
    return _shared[0] == 1


def reset() -> None:
    _shared[0] = 0
