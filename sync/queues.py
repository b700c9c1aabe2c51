"""The names of the django-q2 queues: a cycle must never wait behind a lane."""

from __future__ import annotations

DEFAULT = "default"
SYNC = "sync"
ALL = (DEFAULT, SYNC)
