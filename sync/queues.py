"""The names of the django-q2 queues: a cycle must never wait behind a lane, a lane never behind a backfill."""

from __future__ import annotations

DEFAULT = "default"
SYNC = "sync"
BACKFILL = "backfill"
