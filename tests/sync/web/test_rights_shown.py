"""Staff are offered what their group may do, and nothing that would be refused."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from tests.factories import PartnerMembershipFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture
def staff_of(log_in):
    def logged_in(*groups: str):
        user = UserFactory(is_staff=True)
        user.groups.set(Group.objects.filter(name__in=groups))
        return log_in(user)

    return logged_in


def offers(client, race) -> dict[str, bool]:
    page = client.get(reverse("race_page", args=[race.pk])).content.decode()
    share = client.get(reverse("share_links", args=[race.pk])).content.decode()
    return {
        "sync": "Sync now" in page,
        "share": "Make a link" in share,
        "records": reverse("admin:races_race_change", args=[race.pk]) in page,
    }


@pytest.mark.parametrize(
    ("groups", "offered"),
    [
        ([], set()),
        (["View"], {"records"}),
        (["Onboard"], {"records", "share"}),
        (["Operate"], {"records", "share", "sync"}),
    ],
)
def test_each_group_is_offered_what_it_may(groups, offered, staff_of, race, scheduled):
    scheduled()
    assert {name for name, is_there in offers(staff_of(*groups), race).items() if is_there} == offered


def test_staff_who_belong_to_the_partner_too_may_what_its_members_may(race, log_in, scheduled):
    event = scheduled()
    user = PartnerMembershipFactory(partner=race.partner, user=UserFactory(is_staff=True)).user
    client = log_in(user)
    assert client.post(reverse("event_sync_now", args=[race.pk, event.pk])).status_code == 302
    assert {"sync", "share"} <= {name for name, is_there in offers(client, race).items() if is_there}


def test_a_race_that_is_switched_off_leads_those_to_the_admin_who_may_look_there(race, staff_of, scheduled):
    scheduled()
    race.sync_enabled = False
    race.save()
    page, admin = reverse("race_page", args=[race.pk]), reverse("admin:races_race_change", args=[race.pk])
    assert admin in staff_of("View").get(page).content.decode()
    assert admin not in staff_of().get(page).content.decode()
