from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('races', '0005_held_removal'),
    ]

    operations = [
        migrations.AddField(
            model_name='event',
            name='start_moved_at',
            field=models.DateTimeField(editable=False, help_text='When discovery saw that it had moved.', null=True),
        ),
        migrations.AddField(
            model_name='event',
            name='start_moved_from',
            field=models.DateTimeField(editable=False, help_text='The start before the provider moved it last.', null=True),
        ),
    ]
