from django.apps import AppConfig
from django.db import connection
from django.db.models.signals import post_migrate
from django.utils import timezone


class SyncConfig(AppConfig):
    name = "sync"

    def ready(self) -> None:
        from sync import checks  # noqa: F401 - importing it registers the checks

        post_migrate.connect(_rows_after_migrate, sender=self)


def _rows_after_migrate(**_signal: object) -> None:
    """Every migrated database has its policy to edit, the groups of staff, and its schedules, so that a plain
    `qcluster` works too. Of the apps with records this one is the last: the permissions of all exist by now."""
    from partners.rights import groups_ensure
    from sync.models import Policy
    from sync.services.policies import ONLY, policy_now
    from sync.services.schedules import schedules_ensure

    # Migrated back to nothing, there is no policy to ask.
    if Policy._meta.db_table in connection.introspection.table_names():
        Policy.objects.get_or_create(pk=ONLY)
        groups_ensure()
        schedules_ensure(now=timezone.now(), cycle=policy_now().cycle)
