"""Home, health, metrics and the API page."""

from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from classifier.prediction.metrics import exposition
from classifier.registry.serving import serving
from reviewdesk.checks import missing_settings
from reviewdesk.errors import BackendError
from reviewdesk.people.access import DeskRequest
from reviewdesk.people.models import AGENT, REVIEWER


def home(request: DeskRequest) -> HttpResponse:
    """Home by role: an agent's inbox, a reviewer's queue; without a role, who to ask."""
    if AGENT in request.user.roles:
        return redirect("inbox")
    if REVIEWER in request.user.roles:
        return redirect("review")
    return render(request, "reviewdesk/no_role.html")


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Alive: the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """Ready: the database answers and the production model loads; 503 says what is missing."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        version = serving().version.version
        for reason in missing_settings():
            raise BackendError(reason, permanent=True)
    except BackendError as error:
        return JsonResponse({"ready": False, "reason": error.message}, status=503)
    except Exception as error:
        return JsonResponse({"ready": False, "reason": f"database: {type(error).__name__}"}, status=503)
    return JsonResponse({"ready": True, "model": version})


@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus."""
    return HttpResponse(exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


def api_docs(request: HttpRequest) -> HttpResponse:
    """The OpenAPI page; its script is a static file, since the policy allows no inline one."""
    return render(request, "reviewdesk/api_docs.html")
