import pickle

import pytest
from django.db import connection

from partners.models import Credential
from partners.secret import Secret
from tests.factories import CredentialFactory


def test_no_way_to_print_a_secret_shows_it():
    secret = Secret("hunter2-hunter2")
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {{'s': secret}}"
    assert "hunter2" not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


@pytest.mark.django_db
def test_a_secret_is_encrypted_at_rest_and_comes_back():
    credential = CredentialFactory(api_secret=Secret("canary-7f3a-0123"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_secret FROM partners_credential WHERE id = %s", [credential.pk])
        stored = cursor.fetchone()[0]
    assert "canary" not in stored
    assert Credential.objects.get(pk=credential.pk).api_secret.reveal() == "canary-7f3a-0123"
