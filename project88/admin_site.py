"""The admin under its own name, and for staff only."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse


class Project88AdminSite(AdminSite):
    site_header = "Project88"
    site_title = "Project88"
    index_title = "Records"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        # The admin's class is loaded before there are models.
        from partners.rights import is_staff

        return is_staff(request.user)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """For others who have logged in there is no admin, as there are no pages of the operation: 404. Django would
        ask them for another login."""
        for_staff = super().admin_view(view, cacheable)

        @wraps(for_staff)
        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated and not self.has_permission(request):
                raise Http404
            return for_staff(request, *args, **kwargs)

        return shown
