"""The search of all pages: what it finds, for whom, and what it does with whatever is typed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from races.folded_names import Folded
from races.models import Participant, RaceAccess
from sync.web import search as search_module
from sync.web.name_search import folded
from sync.web.people_search import LAST_NAME
from tests.factories import EventFactory, ParticipantFactory, RaceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("heartbeat")]


@pytest.fixture(autouse=True)
def clock(monkeypatch, now):
    monkeypatch.setattr("sync.web.search_views.database_now", lambda: now)


@pytest.fixture
def search(log_in, director):
    def found(query: str, *, user=None) -> str:
        response = log_in(user or director).get(reverse("search"), {"q": query})
        assert response.status_code == 200
        # Without the field at the top, which repeats what was typed.
        return response.content.decode().split("<main")[1]

    return found


@pytest.fixture
def event(scheduled):
    return scheduled("10K")


@pytest.fixture
def person(event):
    return ParticipantFactory(
        event=event,
        first_name="Łukasz",
        middle_name="van",
        last_name="Müller-Groß",
        bib="1207",
        registration_id=77123456,
    )


@pytest.mark.parametrize(
    "query",
    [
        "müller", "Muller", "MULLER-GROSS", "mu", "Müller, Łukasz", "lukasz muller", "van muller lukasz", "1207",
        "77123456", " muller ", "mul%\x00" .replace("%\x00", "\x00"),
    ],
)  # fmt: skip
def test_somebody_is_found_by_name_bib_or_registration_id(search, person, query):
    text = search(query)

    assert "Łukasz van Müller-Groß" in text
    assert "bib" in text
    assert reverse("event_page", args=[person.event.race_id, person.event_id]) in text


@pytest.mark.parametrize(
    "query", ["uller", "gross", "peter muller", "120", "12070", "7712345", "m", "m%ller", "m_ller"]
)
def test_what_is_not_the_beginning_of_a_last_name_nor_a_whole_number_finds_nobody(search, person, query):
    assert "Łukasz" not in search(query)


def test_names_with_quotes_are_found_with_and_without(search, event):
    ParticipantFactory(event=event, last_name="O’Brien")

    for query in ("obrien", "O'Brien", "o’bri"):
        assert "O’Brien" in search(query)


def test_who_withdrew_is_found_and_called_withdrawn(search, person, now):
    person.removed_at = now
    person.save()

    text = search("muller")

    assert "<s>Łukasz van Müller-Groß</s>" in text
    assert "withdrawn" in text


def test_who_shall_not_be_published_is_marked(search, person):
    person.is_anonymous = True
    person.save()

    assert "do not publish" in search("muller")


def test_races_are_found_by_name_city_and_id(search, race):
    for query in ("casco", "portland", str(race.provider_race_id), "bay casco"):
        assert reverse("race_page", args=[race.pk]) in search(query)


def test_events_are_found_by_name_with_their_race_and_by_id(search, event):
    link = f'href="{reverse("event_page", args=[event.race_id, event.pk])}"'

    for query in ("10k", "casco 10k", str(event.provider_event_id)):
        assert link in search(query)
    assert link not in search("casco")


def test_partners_are_found_by_staff_only(search, race, staff, member):
    link = reverse("partner_page", args=[race.partner.slug])

    assert link in search(race.partner.name, user=staff)
    assert link not in search(race.partner.name, user=member)


@pytest.mark.parametrize("reader", ["director", "member", "staff"])
def test_who_may_see_the_race_finds_all_of_it(reader, request, search, person):
    user = request.getfixturevalue(reader)

    assert "Łukasz" in search("muller", user=user)
    assert "Łukasz" in search("77123456", user=user)
    assert "Casco Bay Races" in search("casco", user=user)


def test_another_partner_finds_nothing_of_it(search, person, stranger):
    for query in ("muller", "1207", "77123456", "casco", "10k", str(person.event.provider_event_id),
                  str(person.event.race.provider_race_id)):  # fmt: skip
        text = search(query, user=stranger)
        assert "Łukasz" not in text
        assert "Casco Bay Races" not in text
        assert "Nothing here is called so" in text


def test_nobody_without_a_login_searches(person):
    response = Client().get(reverse("search"), {"q": "muller"})

    assert response.status_code == 302
    assert response.url.startswith(reverse("login"))


@pytest.mark.parametrize(
    "query",
    ["", " ", "\x00", "%", "_", "%%%", "\\", "'", "'; DROP TABLE races_race; --", "a", "ß", "a" * 10_000, "9" * 400,
     "\U0010ffff", "(", "[a-", "%s %(x)s {0}", "<script>alert(1)</script>", "ad\u0301a", "١٢٣", "²"],
)  # fmt: skip
def test_whatever_is_typed_is_safe(search, person, staff, query):
    for user in (None, staff):
        text = search(query, user=user)
        assert "Łukasz" not in text
        assert "<script>" not in text


def test_an_empty_search_says_what_can_be_typed(search):
    assert "Type into the field above" in search("")


def test_a_single_letter_says_that_people_need_two(search, person):
    assert "from two letters on" in search("m")


def test_of_each_kind_a_bounded_number_is_shown_and_the_page_says_that_there_are_more(search, staff, now):
    for number in range(12):
        race = RaceFactory(name=f"Smith Run {number}")
        event = EventFactory(race=race, name="Smith Mile", starts_at=now + timedelta(days=number))
        ParticipantFactory(event=event, last_name="Smith", bib=str(number))

    text = search("smith", user=staff)

    assert text.count("<li>") == 30
    assert text.count("There are more.") == 3
    assert f"{reverse('race_list')}?q=smith" in text


def test_the_events_to_come_are_looked_in_first(monkeypatch, search, staff, now):
    monkeypatch.setattr(search_module, "EVENTS_LOOKED_IN", 2)
    for name, days in (("Longago", -300), ("Yesterday", -1), ("Tomorrow", 1), ("Nextyear", 300)):
        event = EventFactory(name=name, starts_at=now + timedelta(days=days))
        ParticipantFactory(event=event, last_name="Smith", first_name=name, registration_id=600 + days)

    text = search("smith", user=staff)

    assert "Yesterday" in text
    assert "Tomorrow" in text
    assert "Nextyear" not in text
    assert "events nearest to now" in text
    # A registration id is looked for everywhere.
    assert "Longago" in search("300", user=staff)


def test_events_that_are_over_are_looked_in_too_when_there_is_room(search, staff, now):
    ParticipantFactory(event=EventFactory(starts_at=now - timedelta(days=900)), last_name="Oldtimer")
    ParticipantFactory(event=EventFactory(starts_at=None), last_name="Undated")

    assert "Oldtimer" in search("oldt", user=staff)
    assert "Undated" in search("undated", user=staff)


def test_every_page_has_the_field_and_it_needs_no_script(log_in, staff, race):
    for url in (reverse("race_list"), reverse("race_page", args=[race.pk]), reverse("operations"), reverse("search")):
        page = log_in(staff).get(url).content.decode()
        assert f'<form class="find" method="get" action="{reverse("search")}"' in page


@pytest.mark.parametrize("query", ["smith", "12"])
def test_a_search_asks_the_same_for_1_and_for_50_people_and_races(log_in, director, query):
    def one_more() -> None:
        race = RaceFactory(name="Smith Run")
        RaceAccess.objects.create(user=director, race=race)
        ParticipantFactory(event=EventFactory(race=race, name="Smith Mile"), last_name="Smith", bib="12")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("search"), {"q": query})
        return len(captured)

    client = log_in(director)
    one_more()
    before = queries()
    for _ in range(49):
        one_more()

    assert queries() <= before
    assert before <= 15


def test_names_are_looked_up_in_their_index(event):
    ParticipantFactory.create_batch(400, event=event)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE races_participant")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(
            f"EXPLAIN SELECT id FROM races_participant WHERE event_id = {event.pk} AND ({LAST_NAME}) ~>=~ 'mul' "
            f"AND ({LAST_NAME}) ~<~ ('mul' || 'z')"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "participant_by_folded_name" in plan
    condition = next(line for line in plan.splitlines() if "Index Cond" in line)
    assert "~>=~" in condition


@pytest.mark.parametrize(
    "name",
    ["Müller", "ŁUKASZ", "O’Brien", "D'Arcy", "Straße", "Ærø", "Œuvre", "Þórr", "Đorđe", "Ñandú", "Nguyễn", "Ħal", "Ŧ",
     "Smith-Jones", "van der Berg", "Čapek", "E\u0301mile", "李", "Иванов", ""],
)  # fmt: skip
def test_the_database_folds_names_as_the_search_does(event, name):
    person = ParticipantFactory(event=event, last_name=name)

    in_database = Participant.objects.annotate(folded=Folded("last_name")).get(pk=person.pk).folded

    assert in_database == folded(name)
