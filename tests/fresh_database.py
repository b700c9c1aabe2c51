"""After a test that commits: the rows of a freshly migrated database again, without Django's flush.

Django's flush gives every table and index new files and then plays the end of a migration: permissions, content types,
policy and schedules, some two hundred queries. Most tests leave a few rows in a few tables. So one function inside
the database deletes what is there, and puts back the rows that the migration left where they differ.
"""

from __future__ import annotations

from django.db import connection
from django.test import TransactionTestCase

# Deleted rows stay in the file until a vacuum. From this size on new files are cheaper than to read over them.
_LARGE_BYTES = 1_000_000

_FUNCTION = """
CREATE FUNCTION fresh.restore() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- As TRUNCATE would: wait for whoever still writes, so that nothing of it appears afterwards.
    LOCK TABLE {all_tables} IN SHARE ROW EXCLUSIVE MODE;
    IF (SELECT max(pg_relation_size(name::regclass)) FROM unnest('{{{all_tables}}}'::text[]) name) > {large} THEN
        TRUNCATE {all_tables};
    END IF;
    {truncates}
    {deletes}
    {puts_back}
END $$
"""
# A trigger keeps these rows from being deleted.
_KEPT_BY_TRIGGER = (
    "SELECT DISTINCT event_object_table FROM information_schema.triggers WHERE event_manipulation = 'DELETE'"
)
_TRUNCATE = "IF EXISTS (SELECT FROM {table}) THEN TRUNCATE {table}; END IF;"
_PUT_BACK = """
    IF EXISTS ((TABLE {table} EXCEPT TABLE fresh.{table}) UNION ALL (TABLE fresh.{table} EXCEPT TABLE {table})) THEN
        DELETE FROM {table};
        INSERT INTO {table} TABLE fresh.{table};
    END IF;
"""


def remember_fresh_database() -> None:
    """Keep the rows of the database that was just migrated; from now on they come back after each committing test."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS fresh CASCADE")
        cursor.execute("CREATE SCHEMA fresh")
        tables = sorted(connection.introspection.django_table_names(only_existing=True, include_views=False))
        filled = []
        for table in tables:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
            if cursor.fetchone() == (True,):
                cursor.execute(f"CREATE TABLE fresh.{table} AS TABLE {table}")
                filled.append(table)
        cursor.execute(_KEPT_BY_TRIGGER)
        kept = sorted(table for (table,) in cursor)
        cursor.execute(
            _FUNCTION.format(
                all_tables=",".join(tables),
                large=_LARGE_BYTES,
                truncates="".join(_TRUNCATE.format(table=table) for table in kept),
                deletes="".join(f"DELETE FROM {table};" for table in tables if table not in {*filled, *kept}),
                puts_back="".join(_PUT_BACK.format(table=table) for table in filled),
            )
        )
    TransactionTestCase._fixture_teardown = _restore


def _restore(_test: TransactionTestCase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT fresh.restore()")
