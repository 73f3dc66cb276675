"""Every address of the desk."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from reviewdesk import account_pages as accounts
from reviewdesk import department_merge as merging
from reviewdesk import desk_settings, views
from reviewdesk.audit import views as audit
from reviewdesk.experiments import views as experiments

handler400 = views.bad_request
handler403 = views.forbidden
handler404 = views.not_found
handler500 = views.server_error
urlpatterns = [
    path("", views.home, name="home"),
    path("", include("reviewdesk.people.urls")),
    path("", include("classifier.urls")),
    path("", include("responses.urls")),
    path("experiments/", experiments.experiments, name="experiments"),
    path("experiments/new/", experiments.experiment_new, name="experiment-new"),
    path("experiments/plan/", experiments.experiment_plan, name="experiment-plan"),
    path("experiments/make/", experiments.experiment_make, name="experiment-make"),
    path("experiments/<slug:slug>/", experiments.experiment, name="experiment"),
    path("experiments/<slug:slug>/live/", experiments.experiment_live, name="experiment-live"),
    re_path(
        r"^experiments/(?P<slug>[-\w]+)/report\.(?P<form>json|csv)$",
        experiments.experiment_report,
        name="experiment-report",
    ),
    path("experiments/<slug:slug>/start/", experiments.experiment_start, name="experiment-start"),
    path("experiments/<slug:slug>/end/", experiments.experiment_end, name="experiment-end"),
    path("experiments/<slug:slug>/split/", experiments.experiment_split, name="experiment-split"),
    path("experiments/<slug:slug>/rollout/", experiments.experiment_rollout, name="experiment-rollout"),
    path("experiments/<slug:slug>/hold/", experiments.experiment_hold, name="experiment-hold"),
    path("experiments/<slug:slug>/rollback/", experiments.experiment_rollback, name="experiment-rollback"),
    path("settings/", desk_settings.desk_settings, name="settings"),
    path("settings/time-zone/", desk_settings.time_zone, name="time-zone"),
    path("settings/switch/", desk_settings.throw_switch, name="switch"),
    path("settings/people/", accounts.people, name="people"),
    path("settings/people/invite/", accounts.person_invite, name="person-invite"),
    path("settings/people/<int:pk>/change/", accounts.person_change, name="person-change"),
    path("settings/people/<int:pk>/link/", accounts.person_link, name="person-link"),
    path("settings/people/<int:pk>/active/", accounts.person_active, name="person-active"),
    path("welcome/<uidb64>/<token>/", login_not_required(accounts.SetPassword.as_view()), name="password-set"),
    path("settings/taxonomy/<int:pk>/merge/", merging.department_merge, name="department-merge"),
    path("settings/taxonomy/<int:pk>/delete/", merging.department_delete, name="department-delete"),
    path("settings/taxonomy/<int:pk>/moves/", merging.department_moves, name="department-moves"),
    path("settings/audit/", audit.audit, name="audit"),
    path("settings/audit/audit.csv", audit.audit_download, name="audit-download"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("api/v1/", include("reviewdesk.api_urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", views.api_docs, name="api-docs"),
    re_path(r"^api/", views.api_not_found),
    path("admin/", admin.site.urls),
]
