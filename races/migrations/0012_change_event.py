import django.db.models.deletion
from django.db import migrations, models

# The participant's own; one statement: whoever has very many changes runs it at a quiet hour.
_FILL = """
    UPDATE races_participantchange AS change SET event_id = person.event_id
    FROM races_participant AS person WHERE person.id = change.participant_id
"""


def _event(**options):
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        editable=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="participant_changes",
        to="races.event",
        **options,
    )


class Migration(migrations.Migration):

    dependencies = [
        ("races", "0011_share_link"),
    ]

    operations = [
        migrations.AddField(model_name="participantchange", name="event", field=_event(null=True)),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.AlterField(model_name="participantchange", name="event", field=_event()),
        migrations.AddIndex(
            model_name="participantchange",
            index=models.Index(fields=["event", "-at", "-id"], name="change_latest_of_event"),
        ),
    ]
