"""Logins in the admin: accounts, with help for who cannot get in, and who logged in or failed to."""

from __future__ import annotations

from axes.models import AccessFailureLog, AccessLog
from axes.utils import reset
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from partners.accounts_admin import NotedUserAdmin
from partners.audit import Action
from partners.gate import database_now
from partners.object_actions import ObjectActionsAdmin
from partners.rights import is_superuser
from partners.view_only_admin import ViewOnlyAdmin
from project88.second_factor import second_factor_forget

# Their pages show the keys; whoever lost theirs is helped by a button at their account.
admin.site.unregister([StaticDevice, TOTPDevice, User])


@admin.register(User)
class AccountAdmin(ObjectActionsAdmin, NotedUserAdmin):
    actions = ["unlock_logins", "reset_second_factors"]
    object_actions = {"unlock_logins": "Unlock login", "reset_second_factors": "Reset second factor"}

    def has_superuser_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request.user)

    @admin.action(description="Unlock the login of selected users: forget failed passwords", permissions=["run"])
    def unlock_logins(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            had = [user for user in queryset if reset(username=user.get_username())]
            self.note_all(request, had, Action.LOGIN_UNLOCKED, "Login unlocked.", now=database_now())
        self.message_user(request, "Unlocked: they can log in again now.")

    @admin.action(description="Reset the second factor of selected users", permissions=["superuser"])
    def reset_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            had = [user for user in queryset if second_factor_forget(user=user)]
            self.note_all(request, had, Action.SECOND_FACTOR_RESET, "Second factor reset.", now=database_now())
        if had:
            text = "Reset: the next login asks for the password only. Be sure that it was them who asked you."
            self.message_user(request, text)
        else:
            self.message_user(request, "Nothing to reset: there is no second factor.", messages.WARNING)


class LoginRecordAdmin(ViewOnlyAdmin):
    list_display = ["attempt_time", "username", "ip_address", "path_info", "user_agent"]
    fields = ["attempt_time", "username", "ip_address", "path_info", "user_agent"]
    search_fields = ["username", "ip_address"]
    ordering = ["-attempt_time"]


admin.site.register([AccessLog, AccessFailureLog], LoginRecordAdmin)
