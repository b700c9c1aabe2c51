"""Answering a poll that nothing changed before anything expensive is asked: one query instead of a whole page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps

from django.db.models.expressions import RawSQL
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags

from races.access import visible_races
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
        stamp = _stamp(request, race_pk=race_pk, event_pk=kwargs.get("event_pk"))
        tag = next((tag for tag in parse_etags(request.headers.get("If-None-Match", "")) if stamp in tag), None)
        if tag is not None:
            return _not_modified(tag)
        setattr(request, STAMP, stamp)
        return view(request, race_pk, **kwargs)

    return wrapped


def _stamp(request: HttpRequest, *, race_pk: int, event_pk: int | None) -> str:
    """Of this address for this reader: one stamp never stands for two answers."""
    race = visible_races(request.user).filter(pk=race_pk)
    rows = race.annotate(rows=RawSQL(_STAMP, [LASTS_SECONDS, event_pk])).values_list("rows", flat=True).first()  # noqa: S611
    if rows is None:
        raise Http404
    known = (request.user.pk, bool(getattr(request, "htmx", False)), request.get_full_path(), rows)
    return hashlib.blake2b(repr(known).encode(), digest_size=12).hexdigest()


def _not_modified(tag: str) -> HttpResponse:
    response = HttpResponseNotModified(headers={"ETag": tag})
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    return response
