"""System checks of the stored keys: a wrong CREDENTIAL_KEYS is found at the start, not on race day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from partners.stored_secrets import secrets_count

MOST_NAMED = 5


@register(Tags.database)
def stored_secrets_are_readable(
    *, databases: Sequence[str] | None = None, app_configs: Any = None, **kwargs: Any
) -> list[CheckMessage]:
    """E001 when secrets in the database were encrypted with a key that CREDENTIAL_KEYS does not hold (any more)."""
    unreadable = [name for alias in databases or [] for name in secrets_count(using=alias).unreadable]
    if not unreadable:
        return []
    count = f"{len(unreadable)} stored API secret{'s' if len(unreadable) > 1 else ''}"
    return [
        Error(
            f"CREDENTIAL_KEYS cannot decrypt {count} ({', '.join(unreadable[:MOST_NAMED])}"
            f"{', …' if len(unreadable) > MOST_NAMED else ''}).",
            hint="Put the Fernet key that encrypted them back into CREDENTIAL_KEYS: its first key encrypts, "
            "every key of it decrypts. If that key is lost for good, empty them with manage.py rotate_keys "
            f"--discard-unreadable {len(unreadable)}, and enter them again in the admin.",
            id="partners.E001",
        )
    ]
