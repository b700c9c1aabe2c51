"""The WSGI entry point for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project88.settings")
application = get_wsgi_application()

from project88.start_checks import refuse_wrong_start  # noqa: E402

refuse_wrong_start()
