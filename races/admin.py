"""The admin of the mirror: what the provider says is looked at here, never edited. Races and events are in
`sync.race_admin`: what staff switch or ask for there changes the schedule."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from partners.access_admin import AccessAdmin
from partners.view_only_admin import ViewOnlyAdmin
from races.models import Participant, ParticipantChange, RaceAccess, StartListExport


@admin.register(Participant)
class ParticipantAdmin(ViewOnlyAdmin):
    list_display = ["bib", "first_name", "last_name", "gender", "age", "city", "registration_id", "removed_at"]
    list_display_links = ["first_name", "last_name"]
    list_filter = [("removed_at", admin.EmptyFieldListFilter)]
    search_fields = ["first_name", "last_name", "bib"]
    id_search = ("registration_id", "bib")
    ordering = ["last_name", "first_name", "pk"]
    only_within = ("event__id__exact",)
    within_hint = "Participants are listed by event: choose “Participants” beside an event."
    readonly_fields = ["changes"]

    def view_on_site(self, obj: Participant) -> str:
        return reverse("participant_page", args=[obj.event.race_id, obj.pk])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Participant]:
        queryset = super().get_queryset(request)
        # The detail page shows the provider's own text, the list does not.
        return queryset.defer("raw", "answers") if self.is_list(request) else queryset

    @admin.display(description="changes")
    def changes(self, participant: Participant) -> SafeString:
        url = reverse("admin:races_participantchange_changelist")
        return format_html('<a href="{}?participant__id__exact={}">Changes</a>', url, participant.pk)


@admin.register(ParticipantChange)
class ParticipantChangeAdmin(ViewOnlyAdmin):
    list_display = ["at", "kind", "participant", "changes"]
    list_filter = ["kind"]
    list_select_related = ["participant"]
    ordering = ["-at", "-pk"]
    only_within = ("participant__id__exact", "sync_run__id__exact")
    within_hint = "Changes are listed by participant or by sync run: open one and choose “Changes”."
    raw_id_fields = ["participant", "sync_run"]

    def view_on_site(self, obj: ParticipantChange) -> str:
        return reverse("participant_page", args=[obj.event.race_id, obj.participant_id])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("participant__raw", "participant__answers")


@admin.register(StartListExport)
class StartListExportAdmin(ViewOnlyAdmin):
    """Who took which list when. What was in it is on the race's page."""

    list_display = ["made_at", "race", "event", "format", "rows", "as_of", "made_by"]
    list_filter = ["format"]
    list_select_related = ["race", "event", "made_by"]
    search_fields = ["race__name", "made_by__username"]
    id_search = ("race__provider_race_id",)
    ordering = ["-made_at", "-pk"]
    exclude = ["snapshot", "heading"]

    def view_on_site(self, obj: StartListExport) -> str:
        return reverse("export_changes", args=[obj.race_id, obj.pk])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("snapshot", "heading", "race__raw", "event__raw")


@admin.register(RaceAccess)
class RaceAccessAdmin(AccessAdmin):
    gives = "race"
    list_display = ["user", "race"]
    list_select_related = ["user", "race"]
    search_fields = ["user__username", "user__email", "race__name"]
    autocomplete_fields = ["user", "race"]

    def view_on_site(self, obj: RaceAccess) -> str:
        return reverse("race_page", args=[obj.race_id])
