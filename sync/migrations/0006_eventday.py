import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('races', '0006_event_start_moved'),
        ('sync', '0005_comparison_counts'),
    ]

    operations = [
        migrations.CreateModel(
            name='EventDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(help_text='Race-local.')),
                ('planned', models.PositiveIntegerField(help_text='Syncs that the policy wants on this day.')),
                ('done', models.PositiveIntegerField(help_text='Good syncs.')),
                ('failed', models.PositiveIntegerField(help_text='Tries that ended badly; those that waited for a call are not.')),
                ('longest_gap', models.DurationField(help_text='Measured against the period that was planned.', null=True)),
                ('longest_gap_at', models.DateTimeField(help_text='When that gap began; it may end on the next day.', null=True)),
                ('longest_gap_cause', models.TextField(blank=True)),
                ('last_change', models.DateTimeField(null=True)),
                ('rolled_up_at', models.DateTimeField(help_text="After the day's end: final, and never reckoned again.")),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='days', to='races.event')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('event', 'day'), name='event_day_once')],
            },
        ),
    ]
