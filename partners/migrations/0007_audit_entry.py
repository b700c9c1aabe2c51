"""Who did what, kept by a trigger from being changed or deleted."""

import django.core.serializers.json
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# restrict_violation, so that Django says IntegrityError. Of a young entry nothing can be blanked: the shortest time that
# RETENTION_MONTHS can keep is a month.
NEVER_CHANGED = """
CREATE FUNCTION partners_auditentry_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND (NEW.id, NEW.at, NEW.action, NEW.object_type) = (OLD.id, OLD.at, OLD.action, OLD.object_type)
        AND (NEW.user_id IS NULL OR NEW.user_id = OLD.user_id)
        AND (NEW.partner_id IS NULL OR NEW.partner_id = OLD.partner_id)
        AND (
            (NEW.username, NEW.address, NEW.object_id, NEW.object_text, NEW.detail)
                = (OLD.username, OLD.address, OLD.object_id, OLD.object_text, OLD.detail)
            OR (
                OLD.at < clock_timestamp() - interval '28 days'
                AND NEW.username IN (OLD.username, '')
                AND NEW.address IN (OLD.address, '')
                AND NEW.detail IN (OLD.detail, OLD.detail - 'person'::text)
                AND (
                    (NEW.object_id, NEW.object_text) = (OLD.object_id, OLD.object_text)
                    OR (OLD.object_type = 'auth.user' AND NEW.object_id = '' AND NEW.object_text = '')
                )
            )
        )
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'An audit entry is never changed and never deleted.' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER partners_auditentry_never_changed
    BEFORE UPDATE OR DELETE ON partners_auditentry
    FOR EACH ROW EXECUTE FUNCTION partners_auditentry_never_changed();
"""
CHANGED_AGAIN = """
DROP TRIGGER partners_auditentry_never_changed ON partners_auditentry;
DROP FUNCTION partners_auditentry_never_changed();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('partners', '0006_onboarding'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('username', models.CharField(blank=True, help_text="As it was then; of a command, the machine's user.", max_length=200)),
                ('action', models.CharField(max_length=40)),
                ('object_type', models.CharField(blank=True, help_text='Such as partners.credential.', max_length=60)),
                ('object_id', models.CharField(blank=True, max_length=40)),
                ('object_text', models.CharField(blank=True, help_text='What it was called then.', max_length=300)),
                ('detail', models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder, help_text='Never a secret or contact data. A person is `person`.')),
                ('address', models.CharField(blank=True, help_text="The browser's, or the command's machine.", max_length=120)),
                ('partner', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='audit_entries', to='partners.timingpartner')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'ordering': ['-at', '-pk'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['partner', '-at'], name='audit_of_partner'), models.Index(fields=['-at'], name='audit_by_time'), models.Index(fields=['object_type', 'object_id', '-at'], name='audit_of_object')],
            },
        ),
        migrations.RunSQL(NEVER_CHANGED, CHANGED_AGAIN),
    ]
