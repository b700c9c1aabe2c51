"""django-q2's records in the admin, to look at only.

One schedule whose arguments cannot be read stops all of them, and a task that is entered or queued again by hand goes
past the claims that keep two of them apart: schedules are made by a command, and what failed is retried by itself.
"""

from __future__ import annotations

from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

from partners.view_only_admin import ViewOnlyAdmin

for _model in (Schedule, Success, Failure, OrmQ):
    admin.site.unregister(_model)


@admin.register(Schedule)
class ScheduleAdmin(ViewOnlyAdmin):
    list_display = ["name", "func", "schedule_type", "minutes", "cron", "cluster", "next_run", "repeats"]
    ordering = ["name"]


@admin.register(Success, Failure)
class TaskAdmin(ViewOnlyAdmin):
    list_display = ["name", "group", "func", "cluster", "started", "stopped", "seconds", "attempt_count"]
    list_filter = ["group", "cluster"]
    search_fields = ["name", "func", "group"]
    ordering = ["-stopped"]

    @admin.display(description="seconds")
    def seconds(self, task: Success) -> str:
        return f"{task.time_taken():.1f}"


@admin.register(OrmQ)
class QueuedAdmin(ViewOnlyAdmin):
    list_display = ["id", "key", "name", "group", "func", "lock"]
    list_filter = ["key"]
    fields = ("key", "lock", "task_id", "name", "group", "func", "args", "kwargs")
    readonly_fields = fields
    ordering = ["id"]
