"""Every address of the desk."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from reviewdesk import desk_settings, views
from reviewdesk.audit import views as audit

urlpatterns = [
    path("", views.home, name="home"),
    path("", include("reviewdesk.people.urls")),
    path("", include("classifier.urls")),
    path("", include("responses.urls")),
    path("settings/", desk_settings.desk_settings, name="settings"),
    path("settings/switch/", desk_settings.throw_switch, name="switch"),
    path("settings/audit/", audit.audit, name="audit"),
    path("settings/audit/audit.csv", audit.audit_download, name="audit-download"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("api/v1/", include("reviewdesk.api_urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", views.api_docs, name="api-docs"),
    path("admin/", admin.site.urls),
]
