"""Answering a poll that nothing changed before anything expensive is asked: one query instead of a whole page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags

from races.access import visible_races
from races.models import Race
from sync.web.live import STAMP

# What time alone changes, and what is not in the stamp (a key's pause, another race's demand, the scheduler's silence),
# is shown at most this much later.
LASTS_SECONDS = 15

# Where each row lies and which transaction wrote it: both differ after every write, also of the same values. Each visit
# writes its events' schedule rows, so new and changed people are in it as well. Of an event's runs the newest row is
# read from run_latest_of_event.
_STAMP = """(
    SELECT concat_ws(' ', races_race.xmin, races_race.ctid, floor(extract(epoch FROM clock_timestamp()) / %s),
        string_agg(
            concat_ws(' ', event.ctid, event.xmin, row.ctid, row.xmin, run.ctid, run.xmin), ',' ORDER BY event.id))
    FROM races_event AS event
    LEFT JOIN sync_eventsync AS row ON row.event_id = event.id
    LEFT JOIN LATERAL (
        SELECT latest.ctid, latest.xmin FROM sync_syncrun AS latest WHERE latest.event_id = event.id
        ORDER BY latest.started_at DESC LIMIT 1
    ) AS run ON TRUE
    WHERE event.race_id = races_race.id AND event.id = COALESCE(%s, event.id)
)"""


View = Callable[..., HttpResponse]


def stamped(view: View) -> View:
    """For fragments of a race or of one of its events, under `polled`: 304 to a reader whose copy bears the stamp of
    now. Raises Http404 for a race that the reader may not see."""

    @wraps(view)
    def wrapped(request: HttpRequest, race_pk: int, **kwargs: int) -> HttpResponse:
        rows = rows_of(visible_races(request.user).filter(pk=race_pk), event_pk=kwargs.get("event_pk"))
        if not rows:
            raise Http404
        return not_modified(request, rows, reader=request.user.pk) or view(request, race_pk, **kwargs)

    return wrapped


def rows_of(races: QuerySet[Race], *, event_pk: int | None = None) -> list[tuple[int, str]]:
    """What says whether anything of these races, or of one event, was written: by race. One query."""
    return list(with_rows(races, event_pk=event_pk).order_by("pk").values_list("pk", "rows"))


def with_rows(races: QuerySet[Race], *, event_pk: int | None = None) -> QuerySet[Any]:
    """The races with `rows`: what `rows_of` says."""
    return races.annotate(rows=RawSQL(_STAMP, [LASTS_SECONDS, event_pk]))  # noqa: S611


def not_modified(request: HttpRequest, rows: object, *, reader: int | None) -> HttpResponse | None:
    """304 to a reader whose copy bears the stamp of `rows`, which say whether anything was written. Else None, and the
    answer's tag will bear it: of this address for this reader, for one stamp never stands for two answers."""
    known = (reader, bool(getattr(request, "htmx", False)), request.get_full_path(), rows)
    stamp = hashlib.blake2b(repr(known).encode(), digest_size=12).hexdigest()
    tag = next((tag for tag in parse_etags(request.headers.get("If-None-Match", "")) if stamp in tag), None)
    if tag is not None:
        return _not_modified(tag)
    setattr(request, STAMP, stamp)
    return None


def _not_modified(tag: str) -> HttpResponse:
    response = HttpResponseNotModified(headers={"ETag": tag})
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    return response
