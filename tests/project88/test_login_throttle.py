"""Guessing passwords is slow, and does not keep owners out of their accounts."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessFailureLog, AccessLog
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from project88.login_throttle import GUESSING, MANY_MACHINES, ONE_MACHINE, login_records_prune

PASSWORD = "a-long-morning-88"
STRANGER, OWNER = "203.0.113.66", "198.51.100.7"

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return get_user_model().objects.create_user("crew", password=PASSWORD, is_staff=True)


@pytest.fixture
def clock(now):
    with time_machine.travel(now, tick=False) as traveller:
        yield traveller


def log_in(password: str, *, user: str = "crew", address: str = STRANGER, page: str = "login", **headers: str):
    return Client(REMOTE_ADDR=address, headers=headers).post(
        reverse(page), {"username": user, "password": password}, follow=False
    )


def fail(times: int, **who: str) -> list[int]:
    return [log_in("wrong", **who).status_code for _ in range(times)]


@pytest.mark.parametrize("page", ["login", "admin:login"])
def test_the_fifth_wrong_password_locks_the_account_for_that_address_and_the_page_says_until_when(user, clock, page):
    assert fail(GUESSING.failures, page=page) == [200] * 4 + [429]

    refused = log_in(PASSWORD, page=page)

    assert refused.status_code == 429
    assert refused["Retry-After"] == "900"
    text = refused.content.decode()
    assert "Wait 15 minutes" in text
    assert "10:15 UTC" in text
    assert "unlock" in text
    assert not refused.wsgi_request.user.is_authenticated


def test_the_owner_gets_in_from_elsewhere_while_a_stranger_is_locked_out(user, clock):
    fail(20)

    assert log_in(PASSWORD, address=OWNER).status_code == 302


def test_the_lock_ends_by_itself_and_what_is_typed_meanwhile_does_not_prolong_it(user, clock, now):
    fail(GUESSING.failures)
    clock.move_to(now + timedelta(minutes=14))
    assert fail(3) == [429] * 3

    clock.move_to(now + timedelta(minutes=15))

    assert log_in(PASSWORD).status_code == 302


def test_who_mistypes_and_then_gets_in_begins_anew(user, clock, now):
    assert fail(4) == [200] * 4
    clock.move_to(now + timedelta(seconds=20))
    assert log_in(PASSWORD).status_code == 302
    clock.move_to(now + timedelta(seconds=40))

    assert fail(4) == [200] * 4


def test_one_machine_that_tries_many_accounts_is_stopped(user, clock):
    for number in range(ONE_MACHINE.failures):
        log_in("wrong", user=f"somebody{number}")

    assert log_in(PASSWORD).status_code == 429
    assert log_in(PASSWORD, address=OWNER).status_code == 302


def test_many_machines_lock_the_account_but_not_for_the_address_that_its_owner_uses(user, clock, now):
    assert log_in(PASSWORD, address=OWNER).status_code == 302
    for number in range(MANY_MACHINES.failures):
        log_in("wrong", address=f"203.0.113.{number}")

    assert log_in(PASSWORD, address="203.0.113.200").status_code == 429
    assert log_in(PASSWORD, address=OWNER).status_code == 302
    clock.move_to(now + MANY_MACHINES.within)
    assert log_in(PASSWORD, address="203.0.113.200").status_code == 302


def test_behind_a_proxy_each_client_has_its_own_count(user, clock, settings):
    proxy = "127.0.0.1"
    for _ in range(GUESSING.failures):
        log_in("wrong", address=proxy, x_forwarded_for=STRANGER)

    assert log_in(PASSWORD, address=proxy, x_forwarded_for=STRANGER).status_code == 429
    assert log_in(PASSWORD, address=proxy, x_forwarded_for=OWNER).status_code == 302


def test_an_invented_forwarding_header_gives_no_new_tries(user, clock):
    answers = [log_in("wrong", x_forwarded_for=f"198.51.100.{number}").status_code for number in range(6)]

    assert answers == [200] * 4 + [429] * 2


def test_an_account_that_does_not_exist_is_answered_alike(user, clock):
    real, invented = ([log_in("wrong", user=name).content for _ in range(5)] for name in ("crew", "nobody"))

    assert [b"429" in page for page in real] == [b"429" in page for page in invented]


def test_staff_unlock_a_login_in_the_admin(user, clock, client):
    boss = get_user_model().objects.create_superuser("boss")
    client.force_login(boss)
    fail(GUESSING.failures, address=OWNER)

    answer = client.post(reverse("admin:auth_user_action", args=[user.pk, "unlock_logins"]), follow=True)

    assert "Unlocked" in answer.content.decode()
    assert log_in(PASSWORD, address=OWNER).status_code == 302


def test_what_was_typed_as_a_name_is_shown_as_text_in_the_admin(user, clock, client):
    log_in("wrong", user="<script>alert(1)</script>")
    client.force_login(get_user_model().objects.create_superuser("boss"))

    page = client.get(reverse("admin:axes_accessfailurelog_changelist")).content.decode()

    assert escape("<script>alert(1)</script>") in page
    assert "<script>alert" not in page


def test_old_logins_and_dead_sessions_are_forgotten_at_night(user, clock, now):
    log_in("wrong")
    log_in(PASSWORD, address=OWNER)
    login_records_prune(now=now + timedelta(days=29))
    assert AccessFailureLog.objects.count() == AccessLog.objects.count() == 1
    assert Session.objects.count() == 0

    login_records_prune(now=now + timedelta(days=181))

    assert AccessFailureLog.objects.count() == AccessLog.objects.count() == 0
