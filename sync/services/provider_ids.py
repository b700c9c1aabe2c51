"""Finding a race or event by the number that people know: the provider's, as it stands in RunSignUp's URLs."""

from __future__ import annotations

from django.db.models import QuerySet

from partners.models import TimingPartner
from races.models import Event, Race


class NotFound(Exception):
    """Nothing, or more than one thing, has this id; the text says what to do."""


def partner_by_slug(slug: str) -> TimingPartner:
    partner = TimingPartner.objects.filter(slug=slug).first()
    if partner is None:
        known = (
            ", ".join(TimingPartner.objects.values_list("slug", flat=True)[:20]) or "none yet: run manage.py onboard"
        )
        raise NotFound(f"There is no partner {slug!r}. Known: {known}.")
    return partner


def race_by_id(provider_id: int, *, partner: str | None = None) -> Race:
    races = Race.objects.filter(provider_race_id=provider_id).select_related("credential__partner", "partner")
    return _one(races, "race", provider_id, field="partner__slug", slug=partner)


def race_or_event_by_id(provider_id: int, *, partner: str | None = None) -> tuple[Race, Event | None]:
    """(race, None) for a race's id, (its race, event) for an event's."""
    races = Race.objects.filter(provider_race_id=provider_id).select_related("credential__partner", "partner")
    if _of_partner(races, "partner__slug", partner).exists():
        return race_by_id(provider_id, partner=partner), None
    events = Event.objects.filter(provider_event_id=provider_id).select_related(
        "race__credential__partner", "race__partner"
    )
    event = _one(events, "race or event", provider_id, field="race__partner__slug", slug=partner)
    return event.race, event


def event_by_id(provider_id: int, *, partner: str | None = None) -> Event:
    """The event with its race; a race's id is answered with the ids of its events."""
    race, event = race_or_event_by_id(provider_id, partner=partner)
    if event is None:
        events = race.events.order_by("-starts_at")[:8]
        known = ", ".join(f"{each.provider_event_id} {each.name}" for each in events) or "none yet"
        raise NotFound(f"{provider_id} is a race: name one of its events ({known}).")
    return event


def _of_partner(rows: QuerySet, field: str, slug: str | None) -> QuerySet:
    return rows.filter(**{field: partner_by_slug(slug).slug}) if slug else rows


def _one(rows: QuerySet, what: str, provider_id: int, *, field: str, slug: str | None):
    found = list(_of_partner(rows, field, slug)[:10])
    if len(found) == 1:
        return found[0]
    if not found and slug and (others := sorted(set(rows.values_list(field, flat=True)[:10]))):
        raise NotFound(f"{slug} has no {what} with the id {provider_id}; {', '.join(others)} has.")
    if not found:
        raise NotFound(f"No {what} has the id {provider_id}. Run manage.py discover if it is new at RunSignUp.")
    slugs = ", ".join(sorted(getattr(row, "race", row).partner.slug for row in found))
    raise NotFound(f"The id {provider_id} exists under several partners ({slugs}): add --partner SLUG.")
