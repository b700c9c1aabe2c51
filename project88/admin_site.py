"""The admin under its own name."""

from __future__ import annotations

from django.contrib.admin import AdminSite


class Project88AdminSite(AdminSite):
    site_header = "Project88"
    site_title = "Project88"
    index_title = "Records"
    site_url = "/"
