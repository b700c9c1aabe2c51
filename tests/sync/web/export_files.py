"""Reading downloads as a timing crew's programs do."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from django.urls import reverse


def download(client, race, *, event=None, kind: str = "csv"):
    """POST as the page's form does; the answer with its whole content read."""
    form = {"format": kind, **({"event": event.pk} if event else {})}
    return client.post(reverse("start_list_export", args=[race.pk]), form)


def body(response) -> bytes:
    assert response.status_code == 200, response
    return b"".join(response.streaming_content)


def csv_rows(response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(response).decode("utf-8-sig"), newline="")))


def json_document(response) -> dict[str, Any]:
    return json.loads(body(response))
