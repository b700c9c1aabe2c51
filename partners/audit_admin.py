"""The audit in the admin: to read, and nobody changes it, superusers neither."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from partners.audit import Action
from partners.audit_words import detail_text, what_text, who_text
from partners.models import AuditEntry
from partners.view_only_admin import MOST_CHOICES, PartnerFilter, ViewOnlyAdmin


class ActionFilter(admin.SimpleListFilter):
    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return list(Action.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class UserFilter(admin.SimpleListFilter):
    """Accounts that did something. Those of commands are found by the search."""

    title = "user"
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        users = get_user_model()._default_manager.filter(Exists(AuditEntry.objects.filter(user=OuterRef("pk"))))
        return [(str(pk), name) for pk, name in users.order_by("username").values_list("pk", "username")[:MOST_CHOICES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        asked = self.value() or ""
        return queryset.filter(user_id=int(asked)) if asked.isascii() and asked.isdigit() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ViewOnlyAdmin):
    list_display = ["at", "who", "what", "about", "details", "address"]
    list_filter = [ActionFilter, PartnerFilter, UserFilter, "at"]
    search_fields = ["username", "object_text", "address"]
    search_help_text = "A part of who it was, of what it was done to, or of the address."
    date_hierarchy = "at"
    ordering = ["-at", "-pk"]
    fields = ("at", "who", "user", "address", "what", "about", "object_type", "object_id", "partner", "details")
    readonly_fields = fields

    @admin.display(description="who", ordering="username")
    def who(self, entry: AuditEntry) -> str:
        return who_text(entry)

    @admin.display(description="what", ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return what_text(entry)

    @admin.display(description="about", ordering="object_text")
    def about(self, entry: AuditEntry) -> str:
        return entry.object_text

    @admin.display(description="details")
    def details(self, entry: AuditEntry) -> str:
        return detail_text(entry)
