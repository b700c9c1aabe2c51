"""Inviting race directors, what the one-time link does, and taking access away."""

from __future__ import annotations

import re
from smtplib import SMTPServerDisconnected

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client
from django.urls import reverse

from partners.models import PartnerMembership
from races.models import RaceAccess
from tests.factories import PartnerMembershipFactory, RaceAccessFactory, RaceFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]

PASSWORD = "harbor-lights-at-dawn"


@pytest.fixture
def boss(log_in) -> Client:
    return log_in(UserFactory(is_staff=True, is_superuser=True))


def people_url(race) -> str:
    return reverse("partner_access", args=[race.partner.slug])


def invite(client, at, **fields):
    entry = {"email": "Mara@Example.test", "scope": "all"}
    return client.post(people_url(at), entry | fields, follow=True)


def link_in(message) -> str:
    return re.search(r"http://testserver(/password/set/\S+)", message.body)[1]


def set_password(link: str, password: str = PASSWORD):
    client = Client()
    form = client.get(link, follow=True)
    url = form.request["PATH_INFO"]
    return client.post(url, {"new_password1": password, "new_password2": password}, follow=True)


def test_an_invited_director_sets_a_password_once_and_sees_the_partners_races(boss, race):
    foreign = RaceFactory()
    answer = invite(boss, race)

    assert "mara@example.test sees all races of" in answer.content.decode()
    message = mail.outbox[0]
    assert message.to == ["mara@example.test"]
    assert "within 3 days" in message.body
    link = link_in(message)
    assert "Your password is set" in set_password(link).content.decode()
    client = Client()
    client.post(reverse("login"), {"username": "mara@example.test", "password": PASSWORD})
    assert client.get(reverse("race_page", args=[race.pk])).status_code == 200
    assert client.get(reverse("race_page", args=[foreign.pk])).status_code == 404
    # Once.
    assert "not valid any more" in set_password(link, "another-long-password").content.decode()


def test_the_link_is_on_no_page(boss, race):
    shown = invite(boss, race).content.decode()
    token = link_in(mail.outbox[0]).rstrip("/").rsplit("/", 1)[1]
    assert token not in shown
    assert "invited, no password yet" in shown


def test_a_director_of_single_races_sees_only_these(boss, race):
    other = RaceFactory(partner=race.partner, credential=race.credential)
    foreign = RaceFactory()
    invite(boss, race, scope="some", race=[race.pk, foreign.pk])

    user = get_user_model().objects.get(username="mara@example.test")
    assert set(RaceAccess.objects.filter(user=user).values_list("race", flat=True)) == {race.pk}
    assert not PartnerMembership.objects.filter(user=user).exists()
    assert race.name in mail.outbox[0].subject
    assert other.name not in mail.outbox[0].body


def test_who_has_a_password_already_gets_no_link(boss, race):
    user = UserFactory(username="mara", email="mara@example.test")
    user.set_password(PASSWORD)
    user.save()
    invite(boss, race)
    assert "/password/set/" not in mail.outbox[0].body
    assert PartnerMembership.objects.get().user == user


def test_who_was_shut_out_is_not_let_in_by_an_invitation_elsewhere(boss, race):
    user = UserFactory(username="mara@example.test", email="mara@example.test", is_active=False)
    elsewhere = PartnerMembershipFactory(user=user)
    assert "was switched off" in invite(boss, race).content.decode()
    elsewhere.delete()
    user.set_password(PASSWORD)
    user.save()
    assert "was switched off" in invite(boss, race).content.decode()
    user.refresh_from_db()
    assert not user.is_active


def test_who_lost_the_account_when_a_partner_left_is_invited_again(boss, race):
    user = UserFactory(username="mara@example.test", email="mara@example.test", password=PASSWORD)
    PartnerMembershipFactory(user=user, partner=race.partner)
    boss.post(reverse("partner_leave", args=[race.partner.slug]), {"data": "keep", "slug": race.partner.slug})
    invite(boss, RaceFactory())
    user.refresh_from_db()
    assert (user.is_active, user.has_usable_password()) == (True, False)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"email": "nobody"}, "is not an e-mail address"),
        ({"scope": "some"}, "Tick at least one race"),
        ({"email": "chief@example.test"}, "belongs to staff"),
        ({"email": "other@example.test"}, "has another address or none"),
    ],
)
def test_a_wrong_invitation_says_why_and_gives_nothing(boss, race, fields, problem):
    UserFactory(username="chief", email="chief@example.test", is_staff=True)
    UserFactory(username="other@example.test")
    assert problem in invite(boss, race, **fields).content.decode()
    assert mail.outbox == []
    assert not PartnerMembership.objects.exists()


def test_a_race_name_with_line_breaks_makes_no_header(boss, race):
    race.name = "Harbor\r\nBcc: everybody@example.test"
    race.save()
    invite(boss, race, scope="some", race=[race.pk])
    assert "\n" not in mail.outbox[0].subject
    assert mail.outbox[0].recipients() == ["mara@example.test"]


def test_when_the_mail_server_is_away_the_access_stays_and_the_page_says_so(boss, race, monkeypatch):
    def away(*_args, **_kwargs):
        raise SMTPServerDisconnected("Connection unexpectedly closed")

    monkeypatch.setattr("partners.invitations.send_mail", away)
    assert "the mail could not be sent" in invite(boss, race).content.decode()
    user = PartnerMembership.objects.get().user
    monkeypatch.undo()
    again = reverse("invitation_again", args=[race.partner.slug, user.pk])
    boss.post(again)
    assert "Your password is set" in set_password(link_in(mail.outbox[0])).content.decode()


def test_access_is_taken_at_once_and_only_this_partners(boss, race, log_in):
    director = RaceAccessFactory(race=race).user
    elsewhere = PartnerMembershipFactory(user=director)
    client = log_in(director)
    assert client.get(reverse("race_page", args=[race.pk])).status_code == 200

    boss.post(reverse("access_take", args=[race.partner.slug, director.pk]))

    assert client.get(reverse("race_page", args=[race.pk])).status_code == 404
    assert PartnerMembership.objects.get() == elsewhere
    # Nobody who is not of this partner is reached by its address.
    assert boss.post(reverse("access_take", args=[race.partner.slug, director.pk])).status_code == 404


def test_for_others_the_pages_do_not_exist_and_staff_need_the_right(race, director, log_in):
    staff = UserFactory(is_staff=True)
    for name in ("partner_access", "partner_races_choose", "partner_leave"):
        assert log_in(director).get(reverse(name, args=[race.partner.slug])).status_code == 404
        assert log_in(staff).get(reverse(name, args=[race.partner.slug])).status_code == 403
    assert invite(log_in(staff), race).status_code == 403
    assert log_in(staff).get(reverse("key_rotate", args=[race.partner.slug, race.credential_id])).status_code == 403


def test_a_forgotten_password_is_set_by_mail_and_a_stranger_learns_nothing(race):
    user = UserFactory(username="mara@example.test", email="mara@example.test", password="!")
    known = Client().post(reverse("password_reset"), {"email": user.email}, follow=True)
    assert "Your password is set" in set_password(link_in(mail.outbox[0])).content.decode()
    unknown = Client().post(reverse("password_reset"), {"email": "nobody@example.test"}, follow=True)
    assert len(mail.outbox) == 1
    assert known.content == unknown.content


def test_the_people_page_takes_the_same_queries_for_1_and_for_20(boss, race, django_assert_max_num_queries):
    for _ in range(20):
        RaceAccessFactory(race=race)
    with django_assert_max_num_queries(12):
        assert boss.get(people_url(race)).status_code == 200
