from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SyncConfig(AppConfig):
    name = "sync"

    def ready(self) -> None:
        from sync import checks  # noqa: F401 - importing it registers the checks
        from sync.services.schedules import schedules_after_migrate

        post_migrate.connect(schedules_after_migrate, sender=self)
