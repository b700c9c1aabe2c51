"""Taking start lists along: making an export, the same file again, and what changed since."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from partners.audit import Action, actor_of, audit_note
from partners.gate import database_now
from races.access import visible_races
from races.export_cells import stamp
from races.export_changes import changes_csv
from races.models import Event, Race, StartListExport
from races.start_list_export import NotExportable, export_document, export_filename, export_make, heading_of
from sync.core.tiers import zone_of
from sync.services.policies import policy_now
from sync.web import exports as selector
from sync.web.live import fragment, polled
from sync.web.race_status import with_switches

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
# 18 digits fit the database's integers; a longer number is no event's.
ID_DIGITS = 18


def _race(request: HttpRequest, pk: int) -> Race:
    return get_object_or_404(with_switches(visible_races(request.user)), pk=pk)


def _export(request: HttpRequest, race_pk: int, pk: int) -> StartListExport:
    exports = StartListExport.objects.filter(race_id=race_pk, race__in=visible_races(request.user))
    with_race = exports.select_related("made_by", "event", "race__partner", "race__credential__partner")
    hidden = ("event__raw", "race__raw", "race__credential__api_secret", "race__credential__api_key")
    return get_object_or_404(with_race.defer(*hidden), pk=pk)


def _event(race: Race, asked: str) -> Event | None:
    """The event that the form names, None when it names none: then it asks for all."""
    if not asked:
        return None
    if not (asked.isascii() and asked.isdigit() and len(asked) <= ID_DIGITS):
        raise Http404
    return get_object_or_404(Event.objects.filter(race=race).defer("raw"), pk=int(asked))


@never_cache
@require_POST
def start_list_export(request: HttpRequest, race_pk: int) -> HttpResponse | StreamingHttpResponse:
    """Make an export and give it out. One that cannot be made leads back to the page, which says why."""
    race = _race(request, race_pk)
    event = _event(race, request.POST.get("event", ""))
    format = request.POST.get("format", "")  # noqa: A001
    if format not in CONTENT_TYPES:
        raise BadRequest(f"No such format: {format[:20]!r}")
    heading = selector.heading_now(race=race, event=event, now=database_now())
    try:
        with transaction.atomic():
            export = export_make(race=race, event=event, heading=heading, format=format, made_by=request.user)  # type: ignore[arg-type]
            _note(request, export, Action.LIST_EXPORTED)
    except NotExportable as reason:
        messages.warning(request, str(reason))
        return redirect("event_page", race_pk, event.pk) if event else redirect("race_page", race_pk)
    return _download(export)


@never_cache
@require_GET
def export_download(request: HttpRequest, race_pk: int, export_pk: int) -> StreamingHttpResponse:
    export = _export(request, race_pk, export_pk)
    _note(request, export, Action.LIST_DOWNLOADED)
    return _download(export)


def _note(request: HttpRequest, export: StartListExport, action: Action) -> None:
    event = export.event.name if export.event else "all"
    detail = {"list": export.pk, "event": event, "format": export.format, "rows": export.rows}
    audit_note(action=action, by=actor_of(request), target=export.race, detail=detail, now=database_now())


def _download(export: StartListExport) -> StreamingHttpResponse:
    heading = heading_of(export)
    return _attachment(
        export_document(export),
        name=export_filename(export, at=export.as_of),
        content_type=CONTENT_TYPES[export.format],
        as_of=stamp(heading.as_of, zone=heading.zone),
        withdrawals_as_of=stamp(heading.withdrawals_as_of, zone=heading.zone),
    )


def _attachment(
    parts: Iterator[bytes], *, name: str, content_type: str, as_of: str, withdrawals_as_of: str
) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        parts,
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-As-Of": as_of,
            "X-Withdrawals-As-Of": withdrawals_as_of,
        },
    )


@never_cache
@require_GET
def export_changes(request: HttpRequest, race_pk: int, export_pk: int) -> HttpResponse:
    export = _export(request, race_pk, export_pk)
    shown = selector.changes_page(export=export, now=database_now(), policy=policy_now())
    return render(request, "races/export_changes.html", {"shown": shown, "section": "races"})


@require_GET
@polled
def export_changes_count(request: HttpRequest, race_pk: int, export_pk: int) -> HttpResponse:
    """How many people's place in the list changed since: a row of the last downloads asks once somebody looks at it."""
    export = _export(request, race_pk, export_pk)
    changes = len(selector.export_compared(export, now=database_now()).changes)
    return fragment(request, "races/_export_changes_count.html", {"changes": changes})


@never_cache
@require_GET
def export_changes_csv(request: HttpRequest, race_pk: int, export_pk: int) -> StreamingHttpResponse:
    export = _export(request, race_pk, export_pk)
    zone = zone_of(export.race.timezone)
    compared = selector.export_compared(export, now=database_now())
    _note(request, export, Action.CHANGES_DOWNLOADED)
    return _attachment(
        changes_csv(compared.changes, zone=zone),
        name=export_filename(export, what="changes", ending="csv", at=compared.as_of),
        content_type=CONTENT_TYPES["csv"],
        as_of=stamp(compared.as_of, zone=zone),
        withdrawals_as_of=stamp(compared.withdrawals_as_of, zone=zone),
    )
