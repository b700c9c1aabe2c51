"""What the web server looks at before it takes a request; `manage.py cluster` runs the same checks itself."""

from __future__ import annotations

import logging

from django.core import checks
from django.core.checks import Tags
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection

logger = logging.getLogger(__name__)


def refuse_wrong_start() -> None:
    """Raises ImproperlyConfigured when the database and the settings do not fit, such as wrong CREDENTIAL_KEYS.

    A database that does not answer is no reason: it may come up later, and the pages say so until then.
    """
    try:
        found = checks.run_checks(tags=[Tags.database], databases=["default"])
    except Error:
        logger.warning("Database not reachable at the start", extra={"action": "database_unreachable"})
        return
    finally:
        # A web server that forks after this must not share the connection.
        connection.close()
    wrong = [message for message in found if message.is_serious()]
    if wrong:
        raise ImproperlyConfigured(
            "The web server does not start: "
            + " ".join(f"({message.id}) {message.msg} {message.hint}" for message in wrong)
        )
