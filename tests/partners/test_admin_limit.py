"""A key's calls an hour, as staff type them in: what cannot be kept is refused with the reason and not stored."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.factories import CredentialFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "This field is required."),
        ("9", "Ensure this value is greater than or equal to 10."),
        ("0", "Ensure this value is greater than or equal to 10."),
        ("-5", "Ensure this value is greater than or equal to"),
        ("many", "Enter a whole number."),
    ],
)
def test_a_limit_that_cannot_be_kept_is_a_form_error_and_the_old_one_stays(client, typed, said):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    credential = CredentialFactory(hourly_limit=800)
    page = reverse("admin:partners_credential_change", args=[credential.pk])
    answer = client.post(page, {"label": "main", "hourly_limit": typed, "secret": ""})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    credential.refresh_from_db()
    assert credential.hourly_limit == 800
