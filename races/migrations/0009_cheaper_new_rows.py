"""New participants cost the server less: no check of each change row, no second index by event, no pglz.

pglz, the only compression of a PostgreSQL built without lz4 (the embedded one), takes longer than the rest of storing
a row. There rows of up to a page's size stay as they are: 1.6 times the disk for 1.3 times the rows per second.
"""

import django.db.models.deletion
from django.db import migrations, models

LARGEST_TARGET = 8160


def leave_rows_uncompressed_without_lz4(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
        row = cursor.fetchone()
        if not (row and row[0]):
            cursor.execute(f"ALTER TABLE races_participant SET (toast_tuple_target = {LARGEST_TARGET})")


def compress_again(apps, schema_editor):
    schema_editor.execute("ALTER TABLE races_participant RESET (toast_tuple_target)")


class Migration(migrations.Migration):
    dependencies = [("races", "0008_participant_successor")]
    operations = [
        migrations.AlterField(
            model_name="participant",
            name="event",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="participants",
                to="races.event",
            ),
        ),
        migrations.AlterField(
            model_name="participant",
            name="raw_hash",
            field=models.BinaryField(
                help_text="The first half of sha256 of `raw`: byte for byte the same?", max_length=16
            ),
        ),
        migrations.AlterField(
            model_name="participant",
            name="content_hash",
            field=models.BinaryField(
                help_text="The first half of sha256 of the columns: did anything change that counts?", max_length=16
            ),
        ),
        migrations.AlterField(
            model_name="participantchange",
            name="participant",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="changes",
                to="races.participant",
            ),
        ),
        migrations.RunPython(leave_rows_uncompressed_without_lz4, compress_again),
    ]
