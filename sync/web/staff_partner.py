"""The partner of a staff page on which something is changed."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from partners.models import TimingPartner
from partners.rights import may, staff_only


def partner_to_change(request: HttpRequest, slug: str, *permissions: str) -> TimingPartner:
    """For staff; to everybody else it does not exist. Raises PermissionDenied for staff without the permissions."""
    staff_only(request.user)
    partner = get_object_or_404(TimingPartner, slug=slug)
    if not may(request.user, *permissions):
        raise PermissionDenied
    return partner
