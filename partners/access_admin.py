"""Who was given what to see: rows in the admin whose coming and going is noted."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from partners.audit import PERSON, Action, actor_of, audit_note, person_name
from partners.gate import database_now


class AccessAdmin(admin.ModelAdmin):
    """Rows with a `user`, and with what they give in the field `gives`. Another user or object in a row is both."""

    gives: ClassVar[str]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        before = self.model._default_manager.get(pk=obj.pk) if change else None
        super().save_model(request, obj, form, change)
        if before is not None and form.changed_data:
            self._note(request, Action.ACCESS_TAKEN, before)
        if before is None or form.changed_data:
            self._note(request, Action.ACCESS_GIVEN, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._note(request, Action.ACCESS_TAKEN, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for row in queryset.select_related("user", self.gives):
                self._note(request, Action.ACCESS_TAKEN, row)
            super().delete_queryset(request, queryset)

    def _note(self, request: HttpRequest, action: Action, row: Any) -> None:
        target: Model = getattr(row, self.gives)
        detail = {PERSON: person_name(row.user)}
        audit_note(action=action, by=actor_of(request), target=target, detail=detail, now=database_now())
