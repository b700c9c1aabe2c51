"""The second factor of staff: on site and admin, by app or recovery code, and what happens without it."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.factories import RaceAccessFactory

PASSWORD = "a-long-morning-88"

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff():
    return get_user_model().objects.create_user("crew", password=PASSWORD, is_staff=True, is_superuser=True)


@pytest.fixture(autouse=True)
def clock(now):
    with time_machine.travel(now, tick=False) as traveller:
        yield traveller


def code_now(user) -> str:
    device = TOTPDevice.objects.get(user=user)
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time()
    return f"{totp.token():06}"


def log_in(page: str = "login", **query: str) -> Client:
    client = Client()
    client.post(reverse(page, query=query), {"username": "crew", "password": PASSWORD, **query})
    return client


def post(client: Client, name: str, **data: str):
    return client.post(reverse(name), data, follow=True)


@pytest.fixture
def codes(staff, clock) -> list[str]:
    """Switched on through its pages; the recovery codes that were shown."""
    client = log_in()
    post(client, "second_factor_begin", password=PASSWORD)
    page = post(client, "second_factor_confirm", code=code_now(staff))
    clock.shift(timedelta(minutes=1))
    return re.findall(r"<code>([a-z2-7-]+)</code>", page.content.decode())


def test_it_is_set_up_with_the_password_a_qr_code_and_a_first_code(staff):
    client = log_in()
    assert "Set up" in client.get(reverse("second_factor")).content.decode()
    assert "The password is not right" in post(client, "second_factor_begin", password="wrong").content.decode()
    assert not TOTPDevice.objects.exists()

    page = post(client, "second_factor_begin", password=PASSWORD).content.decode()

    svg = page[page.index("<svg viewBox") :].partition("</svg>")[0]
    assert 'class="qr"' in svg
    assert "style=" not in svg
    assert "is not right" in post(client, "second_factor_confirm", code="000000").content.decode()
    # Until its first code nothing asks for it.
    assert log_in().get(reverse("race_list")).status_code == 200


def test_the_key_is_shown_until_the_first_code_and_not_after(staff, codes):
    key = TOTPDevice.objects.get().key
    client = log_in()
    post(client, "login_code", code=code_now(staff))

    page = client.get(reverse("second_factor")).content.decode()

    assert "10 of your recovery codes are left" in page
    assert 'class="qr"' not in page
    assert key not in page


@pytest.mark.parametrize("login", ["login", "admin:login"])
@pytest.mark.parametrize("page", ["race_list", "operations", "second_factor", "admin:index", "admin:password_change"])
def test_after_the_password_every_page_asks_for_the_code_first(staff, codes, login, page):
    client = log_in(login)
    wanted = reverse(page)

    asked = client.get(wanted)

    assert asked.status_code == 302
    assert asked.url.startswith(reverse("login_code"))
    answer = client.post(asked.url, {"code": code_now(staff)})
    assert (answer.status_code, answer.url) == (302, wanted)
    assert client.get(wanted).status_code == 200


def test_the_code_changes_the_key_of_the_session(staff, codes):
    client = log_in()
    before = client.session.session_key

    post(client, "login_code", code=code_now(staff))

    assert client.session.session_key != before


def test_nothing_can_be_changed_with_the_password_alone(staff, codes):
    client = log_in()

    for name in ("second_factor_begin", "second_factor_off", "recovery_codes"):
        assert client.post(reverse(name), {"password": PASSWORD, "code": "000000"}).url.startswith(
            reverse("login_code")
        )

    assert TOTPDevice.objects.filter(confirmed=True).count() == 1


def test_a_poll_of_a_half_open_login_takes_the_whole_page_to_the_code(staff, codes):
    answer = log_in().get(reverse("operations_live"), headers={"hx-request": "true"})

    assert answer["HX-Redirect"].startswith(reverse("login_code"))
    assert b"Operations" not in answer.content


def test_a_code_is_good_once(staff, codes):
    code = code_now(staff)
    post(log_in(), "login_code", code=code)

    again = post(log_in(), "login_code", code=code)

    assert "is not right" in again.content.decode()


def test_a_recovery_code_lets_in_once_and_is_not_stored_as_it_is(staff, codes):
    assert len(codes) == 10
    assert not {code.replace("-", "") for code in codes} & set(StaticToken.objects.values_list("token", flat=True))
    client = log_in()
    post(client, "login_code", code=codes[0].upper())
    assert client.get(reverse("race_list")).status_code == 200

    assert "is not right" in post(log_in(), "login_code", code=codes[0]).content.decode()
    assert StaticToken.objects.count() == 9


def test_who_guesses_codes_waits_longer_each_time_and_is_told_how_long(staff, codes, clock):
    client = log_in()
    for wait in (1, 2, 4, 8, 16):
        assert client.post(reverse("login_code"), {"code": "000000"}).status_code == 200
        early = client.post(reverse("login_code"), {"code": code_now(staff)})
        assert early.status_code == 429
        assert f"Wait {wait} seconds" in early.content.decode()
        clock.shift(timedelta(seconds=wait))

    # The recovery codes have a count of their own: the owner is not locked out with the guesser.
    client.post(reverse("login_code"), {"code": "000000"})
    assert client.post(reverse("login_code"), {"code": codes[0]}).status_code == 302


def test_new_recovery_codes_take_the_place_of_the_old_ones(staff, codes, clock):
    client = log_in()
    post(client, "login_code", code=code_now(staff))
    clock.shift(timedelta(minutes=1))

    answer = post(client, "recovery_codes", code=code_now(staff))

    assert "no-store" in answer["Cache-Control"]
    assert "is not right" in post(log_in(), "login_code", code=codes[0]).content.decode()


def test_it_is_switched_off_with_a_code(staff, codes, clock):
    client = log_in()
    post(client, "login_code", code=code_now(staff))
    assert "is not right" in post(client, "second_factor_off", code="000000").content.decode()
    clock.shift(timedelta(minutes=1))

    assert "is off" in post(client, "second_factor_off", code=code_now(staff)).content.decode()
    assert log_in().get(reverse("race_list")).status_code == 200


def test_a_superuser_resets_the_device_of_somebody_else_and_other_staff_do_not(staff, codes, client):
    boss = get_user_model().objects.create_superuser("boss")
    url = reverse("admin:auth_user_action", args=[staff.pk, "reset_second_factors"])
    client.force_login(get_user_model().objects.create_user("helper", is_staff=True))
    assert client.post(url).status_code == 403
    client.force_login(boss)
    assert client.get(url).status_code == 405

    answer = client.post(url, follow=True)

    assert "Reset: the next login" in answer.content.decode()
    assert not TOTPDevice.objects.exists()
    assert log_in().get(reverse("race_list")).status_code == 200


def test_a_reset_device_does_not_keep_its_session_verified(staff, codes):
    client = log_in()
    post(client, "login_code", code=code_now(staff))
    TOTPDevice.objects.filter(user=staff).update(confirmed=False)
    TOTPDevice.objects.create(user=staff, name="another", confirmed=True)

    assert client.get(reverse("race_list")).url.startswith(reverse("login_code"))


def test_where_it_is_required_staff_see_nothing_else_before_they_have_one(staff, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    client = log_in()
    for page in ("race_list", "admin:index", "operations"):
        assert client.get(reverse(page)).url.startswith(reverse("second_factor"))
    assert "Staff need a second factor" in client.get(reverse("second_factor")).content.decode()

    post(client, "second_factor_begin", password=PASSWORD)
    post(client, "second_factor_confirm", code=code_now(staff))

    assert client.get(reverse("race_list")).status_code == 200


def test_a_race_director_is_never_asked(settings, client):
    settings.REQUIRE_SECOND_FACTOR = True
    client.force_login(RaceAccessFactory().user)

    assert client.get(reverse("race_list")).status_code == 200
    assert client.get(reverse("second_factor")).status_code == 404
    assert client.post(reverse("second_factor_begin"), {"password": "x"}).status_code == 404


def test_the_code_page_leads_to_no_other_site(staff, codes):
    client = log_in()

    answer = client.post(reverse("login_code"), {"code": code_now(staff), "next": "https://evil.example/"})

    assert answer.url == reverse("race_list")


def test_a_changed_password_ends_the_other_sessions(staff, client):
    here, there = log_in(), log_in()
    new = "another-long-morning-88"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert here.post(reverse("admin:password_change"), data).status_code == 302

    assert here.get(reverse("race_list")).status_code == 200
    assert there.get(reverse("race_list")).url.startswith(reverse("login"))


def test_the_wait_does_not_grow_beyond_nine_minutes(staff, codes, clock):
    """Whoever has the password, and no phone, must not keep its owner out for days."""
    client = log_in()
    for _ in range(14):
        assert client.post(reverse("login_code"), {"code": "000000"}).status_code == 200
        clock.shift(timedelta(minutes=9))

    client.post(reverse("login_code"), {"code": "000000"})
    clock.shift(timedelta(minutes=9))
    assert client.post(reverse("login_code"), {"code": code_now(staff)}).status_code == 302
