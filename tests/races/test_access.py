"""Who sees which races."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from races.access import visible_races
from tests.factories import PartnerMembershipFactory, RaceAccessFactory, RaceFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_race_director_sees_the_given_race_and_no_other_of_the_partner():
    mine = RaceFactory()
    RaceFactory(credential=mine.credential)
    access = RaceAccessFactory(race=mine)

    assert list(visible_races(access.user)) == [mine]


def test_a_partner_member_sees_all_races_of_the_partner_and_none_of_another():
    first = RaceFactory()
    second = RaceFactory(credential=first.credential)
    RaceFactory()
    member = PartnerMembershipFactory(partner=first.partner).user

    assert set(visible_races(member)) == {first, second}


def test_both_rights_to_the_same_race_show_it_once():
    race = RaceFactory()
    user = RaceAccessFactory(race=race).user
    PartnerMembershipFactory(user=user, partner=race.partner)

    assert list(visible_races(user)) == [race]


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_staff_see_every_race(flag):
    races = {RaceFactory(), RaceFactory()}

    assert set(visible_races(UserFactory(**{flag: True}))) == races


def test_nobody_else_sees_anything():
    RaceAccessFactory()

    assert not visible_races(AnonymousUser()).exists()
    assert not visible_races(UserFactory()).exists()
