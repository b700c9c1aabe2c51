"""Django's admin of accounts and groups; what is done in it is noted. Of an account its name and its rights are said,
of its other fields only that they were changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from partners.audit import Action, actor_of, audit_note
from partners.gate import database_now
from partners.rights import ACCOUNT_SWITCHES

REDIRECTED = 302


def _note(request: HttpRequest, action: Action, target: Model, detail: dict[str, Any] | None = None) -> None:
    audit_note(action=action, by=actor_of(request), target=target, detail=detail, now=database_now())


def _names(rows: Iterable[Any]) -> str:
    return ", ".join(sorted(getattr(row, "codename", None) or row.name for row in rows))


def _changes(form: Any) -> dict[str, Any]:
    """[old, new] of rights and switches, and the names of the other fields that were changed."""
    detail: dict[str, Any] = {}
    for name in form.changed_data:
        old, new = form.initial.get(name), form.cleaned_data[name]
        if name in {"groups", "user_permissions", "permissions"}:
            detail[name] = [_names(old or ()), _names(new)]
        elif name in ACCOUNT_SWITCHES:
            detail[name] = [old, new]
    others = [name for name in form.changed_data if name not in detail]
    return {**detail, "fields": ", ".join(others)} if others else detail


class NotedAdmin(admin.ModelAdmin):
    added: Action
    changed: Action
    deleted: Action

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not change:
            _note(request, self.added, form.instance)
        elif form.changed_data:
            _note(request, self.changed, form.instance, _changes(form))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        _note(request, self.deleted, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for row in queryset:
                _note(request, self.deleted, row)
            super().delete_queryset(request, queryset)


admin.site.unregister(Group)


class NotedUserAdmin(NotedAdmin, UserAdmin):
    added, changed, deleted = Action.ACCOUNT_ADDED, Action.ACCOUNT_CHANGED, Action.ACCOUNT_DELETED

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == REDIRECTED:
                _note(request, self.changed, User.objects.get(pk=unquote(id)), {"fields": "password"})
        return response


@admin.register(Group)
class NotedGroupAdmin(NotedAdmin, GroupAdmin):
    added, changed, deleted = Action.GROUP_ADDED, Action.GROUP_CHANGED, Action.GROUP_DELETED
