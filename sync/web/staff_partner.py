"""The partner of a staff page on which something is changed."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from partners.models import TimingPartner


def partner_to_change(request: HttpRequest, slug: str, *permissions: str) -> TimingPartner:
    """For staff; to everybody else it does not exist. Raises PermissionDenied for staff without the permissions."""
    if not getattr(request.user, "is_staff", False):
        raise Http404
    partner = get_object_or_404(TimingPartner, slug=slug)
    if not request.user.has_perms(permissions):
        raise PermissionDenied
    return partner
