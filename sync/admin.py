"""The admin of the machine: what ran and what is due, to look at. The only switch is a race's `sync_enabled`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from partners.gate import database_now
from partners.view_only_admin import PartnerFilter, ViewOnlyAdmin
from races.models import Race
from sync import held_removal_admin, policy_admin, queue_admin  # noqa: F401 - register what has a file of its own
from sync.models import Backfill, Cycle, EventSync, SyncRun
from sync.services.event_schedule import reschedule


class EventPartnerFilter(PartnerFilter):
    path = "event__race__partner"


@admin.register(Race)
class RaceAdmin(ViewOnlyAdmin):
    """Here and not in `races`: switching a race off or on takes its events off or into the schedule at once."""

    list_display = ["name", "partner", "next_date", "city", "state", "sync_enabled", "gone_at", "events"]
    list_filter = [PartnerFilter, "sync_enabled", ("gone_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "partner__name", "partner__slug"]
    search_help_text = "RunSignUp's id of the race, or a part of its name or of the partner's."
    id_search = ("provider_race_id",)
    ordering = ["name", "pk"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["events", *(field.name for field in Race._meta.fields if field.name not in {"id", "sync_enabled"})]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["sync_enabled", *self.get_readonly_fields(request, obj)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Race]:
        # Of the key only its name is shown: no secret is decrypted for that.
        queryset = super().get_queryset(request).select_related("partner", "credential__partner")
        return queryset.defer("credential__api_secret", *(["raw"] if self.is_list(request) else []))

    def save_model(self, request: HttpRequest, obj: Race, form: Any, change: bool) -> None:
        """Only the switch is written: discovery may have changed the rest since the page was opened."""
        with transaction.atomic():
            Race.objects.filter(pk=obj.pk).update(sync_enabled=obj.sync_enabled)
            reschedule(events=obj.events.select_related("race").defer("raw", "race__raw"), now=database_now())

    @admin.display(description="events")
    def events(self, race: Race) -> SafeString:
        return format_html(
            '<a href="{}?race__id__exact={}">Events</a>', reverse("admin:races_event_changelist"), race.pk
        )


@admin.register(EventSync)
class EventSyncAdmin(ViewOnlyAdmin):
    list_display = ["event", "race", "tier", "due_at", "checked_at", "failures", "hold_reason"]
    list_filter = ["tier", EventPartnerFilter, ("hold_reason", admin.EmptyFieldListFilter)]
    search_fields = ["event__name", "event__race__name"]
    search_help_text = "RunSignUp's id of the event or race, or a part of the name."
    id_search = ("event__provider_event_id", "event__race__provider_race_id")
    ordering = ["-pk"]
    readonly_fields = ["credential"]

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

    @admin.display(description="ms")
    def milliseconds(self, cycle: Cycle) -> str:
        return f"{(cycle.finished_at - cycle.started_at).total_seconds() * 1000:.0f}" if cycle.finished_at else ""


@admin.register(Backfill)
class BackfillAdmin(ViewOnlyAdmin):
    list_display = ["started_at", "partner", "race", "since", "status", "finished_at", "calls"]
    list_filter = ["status"]
    list_select_related = ["partner", "race"]
    ordering = ["-started_at", "-pk"]
