"""The admin of the machine: what ran and what is due, to look at."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from partners.view_only_admin import PartnerFilter, ViewOnlyAdmin
from sync import held_removal_admin, policy_admin, queue_admin, race_admin  # noqa: F401 - each registers its own
from sync.models import Backfill, Cycle, EventSync, SyncRun


class EventPartnerFilter(PartnerFilter):
    path = "event__race__partner"


@admin.register(EventSync)
class EventSyncAdmin(ViewOnlyAdmin):
    list_display = ["event", "race", "tier", "due_at", "checked_at", "failures", "hold_reason"]
    list_filter = ["tier", EventPartnerFilter, ("hold_reason", admin.EmptyFieldListFilter)]
    search_fields = ["event__name", "event__race__name"]
    search_help_text = "RunSignUp's id of the event or race, or a part of the name."
    id_search = ("event__provider_event_id", "event__race__provider_race_id")
    ordering = ["-pk"]
    readonly_fields = ["credential"]

    def view_on_site(self, obj: EventSync) -> str:
        return reverse("event_page", args=[obj.event.race_id, obj.event_id])

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventSync]:
        queryset = super().get_queryset(request).defer("event__raw", "event__race__raw")
        return queryset.select_related("event__race")

    @admin.display(description="race")
    def race(self, row: EventSync) -> str:
        return row.event.race.name


@admin.register(SyncRun)
class SyncRunAdmin(ViewOnlyAdmin):
    list_display = [
        "started_at", "event", "race", "tier", "trigger", "outcome", "seconds", "calls", "fetched", "added", "changed",
        "removed", "rejected", "error",
    ]  # fmt: skip
    list_filter = ["outcome", "tier", "trigger", EventPartnerFilter]
    search_fields = ["event__race__name"]
    search_help_text = "RunSignUp's id of the event or race, or a part of the race's name."
    id_search = ("event__provider_event_id", "event__race__provider_race_id")
    ordering = ["-started_at", "-pk"]
    readonly_fields = ["participant_changes"]

    def view_on_site(self, obj: SyncRun) -> str:
        return f"{reverse('event_page', args=[obj.event.race_id, obj.event_id])}?run={obj.pk}#history"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        queryset = super().get_queryset(request).select_related("event__race")
        return queryset.defer("event__raw", "event__race__raw")

    @admin.display(description="race")
    def race(self, run: SyncRun) -> str:
        return run.event.race.name

    @admin.display(description="seconds")
    def seconds(self, run: SyncRun) -> str:
        return f"{(run.finished_at - run.started_at).total_seconds():.1f}" if run.finished_at else "running"

    @admin.display(description="error")
    def error(self, run: SyncRun) -> str:
        return run.error_text[:120]

    @admin.display(description="changes")
    def participant_changes(self, run: SyncRun) -> SafeString:
        url = reverse("admin:races_participantchange_changelist")
        return format_html('<a href="{}?sync_run__id__exact={}">Changes</a>', url, run.pk)


@admin.register(Cycle)
class CycleAdmin(ViewOnlyAdmin):
    list_display = [
        "started_at", "milliseconds", "high_picked", "high_due", "medium_picked", "medium_due", "low_picked", "low_due",
        "calls", "ok", "unchanged", "throttled", "failed", "refused", "gone", "lost",
    ]  # fmt: skip
    ordering = ["-started_at", "-pk"]

    def view_on_site(self, obj: Cycle) -> str:
        return reverse("cycles")

    @admin.display(description="ms")
    def milliseconds(self, cycle: Cycle) -> str:
        return f"{(cycle.finished_at - cycle.started_at).total_seconds() * 1000:.0f}" if cycle.finished_at else ""


@admin.register(Backfill)
class BackfillAdmin(ViewOnlyAdmin):
    list_display = ["started_at", "partner", "race", "since", "status", "finished_at", "calls"]
    list_filter = ["status"]
    list_select_related = ["partner", "race"]
    ordering = ["-started_at", "-pk"]

    def view_on_site(self, obj: Backfill) -> str:
        if obj.race is not None:
            return reverse("race_page", args=[obj.race.pk])
        return reverse("partner_page", args=[obj.partner.slug]) if obj.partner else reverse("operations")
