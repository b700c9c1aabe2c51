"""Where secrets are stored, which key of CREDENTIAL_KEYS each of them needs, and how they move to the first one.

Read and written past the models, whose fields raise at the first wrong row and would open what only has to be moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import connections, models, transaction

from partners.encryption import EncryptedField

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretColumn:
    """A column of the database that holds Fernet tokens."""

    model: type[models.Model]
    field: EncryptedField

    def row_name(self, pk: Any) -> str:
        return f"{self.model._meta.verbose_name} {pk}"


@dataclass(slots=True, kw_only=True)
class SecretCount:
    """Stored secrets: how many each key of CREDENTIAL_KEYS encrypts (its place from 1), and those that none opens."""

    by_key: Counter[int] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.by_key.total() + len(self.unreadable)

    @property
    def under_old_keys(self) -> int:
        return self.by_key.total() - self.by_key[1]


@dataclass(slots=True, kw_only=True)
class Rotation:
    """What one pass did. `overtaken`: somebody stored another secret meanwhile, which is left as it is."""

    seen: int = 0
    moved: int = 0
    overtaken: int = 0


def secret_columns() -> list[SecretColumn]:
    """Every EncryptedField of every installed model that has a table."""
    return [
        SecretColumn(model=model, field=column)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
        for column in model._meta.local_concrete_fields
        if isinstance(column, EncryptedField)
    ]


def secrets_count(*, using: str = "default") -> SecretCount:
    keys, count = _keys(), SecretCount()
    for column in secret_columns():
        for batch in _batches(column, using=using, size=BATCH):
            for pk, token in batch:
                place = _place_of_key(keys, token)
                if place is None:
                    count.unreadable.append(column.row_name(pk))
                else:
                    count.by_key[place] += 1
    return count


def secrets_rotate(*, tell: Callable[[Rotation], None], using: str = "default", batch_size: int = BATCH) -> Rotation:
    """Encrypt anew with the first key whatever an older one encrypts. `tell` hears of the state after each batch.

    Each batch is a transaction of its own and what is done is passed over, so that it may be stopped and run again at
    any moment. A secret that changed since it was read is not written: the newer one stays.
    """
    keys, rotation = _keys(), Rotation()
    every_key = MultiFernet(keys)
    for column in secret_columns():
        for batch in _batches(column, using=using, size=batch_size):
            moves = [
                (pk, token, every_key.rotate(token.encode()).decode())
                for pk, token in batch
                if (_place_of_key(keys, token) or 1) > 1
            ]
            moved = _replace(column, moves, using=using)
            rotation.seen += len(batch)
            rotation.moved += moved
            rotation.overtaken += len(moves) - moved
            tell(rotation)
    return rotation


def unreadable_discard(*, using: str = "default") -> int:
    """Empty every stored secret that no key opens, so that it can be entered again; returns how many."""
    keys, emptied = _keys(), 0
    for column in secret_columns():
        for batch in _batches(column, using=using, size=BATCH):
            moves = [(pk, token, "") for pk, token in batch if _place_of_key(keys, token) is None]
            emptied += _replace(column, moves, using=using)
    return emptied


def _keys() -> list[Fernet]:
    return [Fernet(key) for key in settings.CREDENTIAL_KEYS]


def _place_of_key(keys: Sequence[Fernet], token: str) -> int | None:
    """From 1; None when no key opens it."""
    for place, key in enumerate(keys, start=1):
        try:
            key.decrypt(token.encode())
        except InvalidToken:
            continue
        return place
    return None


def _batches(column: SecretColumn, *, using: str, size: int) -> Iterator[list[tuple[Any, str]]]:
    """(primary key, token) of the rows that hold a secret, in the order of their keys."""
    connection = connections[using]
    # Before the first `migrate` there is nothing to read.
    if column.model._meta.db_table not in connection.introspection.table_names():
        return
    table, key, secret = _names(column, using=using)
    where, after = "", list[Any]()
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {key}, {secret} FROM {table} WHERE {secret} <> '' {where} ORDER BY {key} LIMIT %s",  # noqa: S608
                [*after, size],
            )
            rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        where, after = f"AND {key} > %s", [rows[-1][0]]


def _replace(column: SecretColumn, moves: list[tuple[Any, str, str]], *, using: str) -> int:
    """Write each (primary key, token, new token) whose row still holds the token; returns how many did."""
    if not moves:
        return 0
    table, key, secret = _names(column, using=using)
    replaced = 0
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        for pk, token, new in moves:
            cursor.execute(
                f"UPDATE {table} SET {secret} = %s WHERE {key} = %s AND {secret} = %s",  # noqa: S608
                [new, pk, token],
            )
            replaced += cursor.rowcount
    return replaced


def _names(column: SecretColumn, *, using: str) -> tuple[str, str, str]:
    """Table, primary key and column, quoted."""
    quote, meta = connections[using].ops.quote_name, column.model._meta
    return quote(meta.db_table), quote(str(meta.pk.column)), quote(str(column.field.column))
