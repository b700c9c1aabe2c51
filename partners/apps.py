from django.apps import AppConfig


class PartnersConfig(AppConfig):
    name = "partners"

    def ready(self) -> None:
        from partners import audit_logins, checks  # noqa: F401 - each registers itself
