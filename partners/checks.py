"""System checks of the stored keys: a wrong CREDENTIAL_KEYS is found at the start, not on race day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from partners.encryption import WrongEncryptionKey, decrypt
from partners.models import Credential


@register(Tags.database)
def stored_secrets_are_readable(
    *, databases: Sequence[str] | None = None, app_configs: Any = None, **kwargs: Any
) -> list[CheckMessage]:
    """E001 when secrets in the database were encrypted with a key that CREDENTIAL_KEYS does not hold (any more)."""
    unreadable = [pk for alias in databases or [] for pk in _unreadable(alias)]
    if not unreadable:
        return []
    count = f"{len(unreadable)} stored API secret{'s' if len(unreadable) > 1 else ''}"
    return [
        Error(
            f"CREDENTIAL_KEYS cannot decrypt {count} (credential {', '.join(map(str, unreadable[:5]))}"
            f"{', …' if len(unreadable) > 5 else ''}).",
            hint="Put the Fernet key that encrypted them back into CREDENTIAL_KEYS: its first key encrypts, "
            "every key of it decrypts. Is that key lost, enter the secrets again in the admin.",
            id="partners.E001",
        )
    ]


def _unreadable(alias: str) -> list[int]:
    connection = connections[alias]
    table = Credential._meta.db_table
    # Before the first `migrate` there is nothing to read.
    if table not in connection.introspection.table_names():
        return []
    # Past the model: its field raises at the first wrong row, and all of them shall be named.
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, api_secret FROM {connection.ops.quote_name(table)} ORDER BY id")  # noqa: S608
        rows = cursor.fetchall()
    return [pk for pk, token in rows if token and not _readable(token)]


def _readable(token: str) -> bool:
    try:
        decrypt(token)
    except WrongEncryptionKey:
        return False
    return True
