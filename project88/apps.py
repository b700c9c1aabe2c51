"""Django's admin as this project runs it; it also brings the project's own system checks."""

from __future__ import annotations

from axes.apps import AppConfig as AxesConfig
from django.contrib.admin.apps import AdminConfig


class Project88AdminConfig(AdminConfig):
    default_site = "project88.admin_site.Project88AdminSite"

    def ready(self) -> None:
        super().ready()
        from project88 import checks  # noqa: F401 - registers itself


class LoginRecordsConfig(AxesConfig):
    """django-axes under a name that says what its rows are."""

    verbose_name = "Logins"
