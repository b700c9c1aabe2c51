"""The admin's times say their zone, and a key is called the same everywhere."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.factories import CredentialFactory, EventSyncFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(log_in):
    return log_in(UserFactory(is_staff=True, is_superuser=True))


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_a_time_is_shown_with_its_zone_in_lists_and_on_pages(admin, now):
    row = EventSyncFactory(tier="HIGH", due_at=now)

    assert "Jun 6, 2026, 10:00:00 UTC" in text(admin.get(reverse("admin:sync_eventsync_changelist")))
    assert "Jun 6, 2026, 10:00:00 UTC" in text(admin.get(reverse("admin:sync_eventsync_change", args=[row.pk])))
    assert "Jun 6, 2026, 12:00:00 UTC" in text(admin.get(reverse("admin:races_event_changelist")))


def test_key_and_secret_have_the_same_labels_on_every_page(admin):
    credential = CredentialFactory()
    pages = [
        reverse("admin:partners_timingpartner_add"),
        reverse("admin:partners_timingpartner_change", args=[credential.partner_id]),
        reverse("admin:partners_credential_changelist"),
        reverse("admin:partners_credential_add"),
        reverse("admin:partners_credential_change", args=[credential.pk]),
    ]

    for url in pages:
        page = text(admin.get(url))
        assert "API key" in page, url
        assert "Api key" not in page, url
        assert "Api secret" not in page, url


def test_the_list_of_keys_is_searched_and_sorted_by_the_key(admin):
    for key in ("b-key", "a-key"):
        CredentialFactory(api_key=key)

    page = text(admin.get(reverse("admin:partners_credential_changelist"), {"o": "3"}))

    assert page.index("a-key") < page.index("b-key")
