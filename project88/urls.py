"""The table of every URL."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from sync.web import (
    changes_views,
    day_views,
    export_views,
    participant_views,
    partner_views,
    receipt_views,
    run_views,
    search_views,
    share_views,
    views,
    weekend_views,
)

urlpatterns = [
    path("", views.race_list, name="race_list"),
    path("live/", views.race_list_live, name="race_list_live"),
    path("races/<int:race_pk>/", views.race_page, name="race_page"),
    path("races/<int:race_pk>/live/", views.race_live, name="race_live"),
    path("races/<int:race_pk>/checks/", views.race_checks, name="race_checks"),
    path("races/<int:race_pk>/doubts/", views.race_doubts, name="race_doubts"),
    path("races/<int:race_pk>/sync-now/", views.sync_now, name="sync_now"),
    path("races/<int:race_pk>/events/<int:event_pk>/", views.event_page, name="event_page"),
    path("races/<int:race_pk>/events/<int:event_pk>/live/", views.event_live, name="event_live"),
    path("races/<int:race_pk>/events/<int:event_pk>/day/", day_views.event_day_live, name="event_day_live"),
    path("races/<int:race_pk>/events/<int:event_pk>/changes/", changes_views.event_changes, name="event_changes"),
    path("races/<int:race_pk>/events/<int:event_pk>/why/", views.event_why, name="event_why"),
    path("races/<int:race_pk>/events/<int:event_pk>/doubts/", views.event_doubts, name="event_doubts"),
    path("races/<int:race_pk>/events/<int:event_pk>/receipt/", receipt_views.event_receipt, name="event_receipt"),
    path("races/<int:race_pk>/events/<int:event_pk>/sync-now/", views.sync_now, name="event_sync_now"),
    path("races/<int:race_pk>/start-list/", export_views.start_list_export, name="start_list_export"),
    path("races/<int:race_pk>/exports/<int:export_pk>/", export_views.export_changes, name="export_changes"),
    path(
        "races/<int:race_pk>/exports/<int:export_pk>/changes.csv",
        export_views.export_changes_csv,
        name="export_changes_csv",
    ),
    path(
        "races/<int:race_pk>/exports/<int:export_pk>/count/",
        export_views.export_changes_count,
        name="export_changes_count",
    ),
    path("races/<int:race_pk>/exports/<int:export_pk>/file/", export_views.export_download, name="export_download"),
    path(
        "races/<int:race_pk>/participants/<int:participant_pk>/",
        participant_views.participant_page,
        name="participant_page",
    ),
    path("races/<int:race_pk>/share/", share_views.share_links, name="share_links"),
    path("races/<int:race_pk>/share/<int:link_pk>/revoke/", share_views.share_link_revoke, name="share_link_revoke"),
    path("share/<str:token>/", share_views.share_page, name="share_page"),
    path("share/<str:token>/live/", share_views.share_live, name="share_live"),
    path("operations/", views.operations, name="operations"),
    path("operations/live/", views.operations_live, name="operations_live"),
    path("operations/weekend/", weekend_views.weekend, name="weekend"),
    path("operations/runs/", run_views.runs, name="runs"),
    path("operations/runs.csv", run_views.runs_csv, name="runs_csv"),
    path("operations/cycles/", run_views.cycles, name="cycles"),
    path("search/", search_views.search, name="search"),
    path("partners/<slug:slug>/", partner_views.partner_page, name="partner_page"),
    path("partners/<slug:slug>/live/", partner_views.partner_live, name="partner_live"),
    path("partners/<slug:slug>/ahead/", partner_views.partner_ahead, name="partner_ahead"),
    path("partners/<slug:slug>/races/", partner_views.partner_races, name="partner_races"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("admin/", admin.site.urls),
]
