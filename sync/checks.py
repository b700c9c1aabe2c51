"""System checks of the scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connection

from sync.models import Policy
from sync.services.policies import policy_now
from sync.services.schedules import missing_schedules


@register(Tags.database)
def schedules_are_there(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W001 when a schedule is missing or altered: then cycles or discoveries do not come."""
    if "default" not in (databases or []):
        return []
    if Policy._meta.db_table not in connection.introspection.table_names():
        return []
    missing = missing_schedules(cycle=policy_now().cycle)
    if not missing:
        return []
    return [
        checks.Warning(
            f"The schedules {', '.join(missing)} are missing or were altered: nothing is synced by them.",
            hint="manage.py cluster and manage.py migrate put them back.",
            id="sync.W001",
        )
    ]
