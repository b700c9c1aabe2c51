"""When the provider refuses a key: one confirming call, then the key stops until a person acts."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from partners.gate import NoBudget
from partners.models import Credential
from partners.runsignup.client import RunSignUpClient
from partners.runsignup.errors import ProviderError, Refused

logger = logging.getLogger(__name__)


def refusal_confirmed(client: RunSignUpClient, credential: Credential, error: Refused, *, now: datetime) -> bool:
    """Ask once more, with the cheapest call; refused again, the credential stops (status refused). False: it works."""
    try:
        client.races_page(page=1, start_date=(now - timedelta(days=1)).date(), page_size=1)
    except Refused as again:
        if again.scope != "key":
            return False
        # Only the key as it was asked with: a secret stored meanwhile is another, and what staff paused stays paused.
        asked = Credential.objects.filter(pk=credential.pk, verified_at=credential.verified_at)
        asked.exclude(status=Credential.Status.PAUSED).update(
            status=Credential.Status.REFUSED, status_detail=error.text, refused_at=now
        )
        logger.error("Key refused", extra={"action": "key_refused", "credential": credential.pk, "code": error.code})
        return True
    except (ProviderError, NoBudget):
        # Neither confirmed nor cleared: the event backs off and the next visit asks again.
        return False
    return False
