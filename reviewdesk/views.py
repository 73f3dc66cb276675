"""Home, health, metrics and the API page."""

import sys

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.views import defaults

from classifier.prediction.metrics import exposition
from classifier.registry.serving import serving
from reviewdesk.checks import missing_settings
from reviewdesk.errors import RETRY_AFTER, BackendError, DatabaseBusy, TooLarge
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


@login_not_required
def api_not_found(request: HttpRequest) -> JsonResponse:
    """Any address under /api/ that is none."""
    return _api_failure(404, "not_found", f"There is nothing at {request.path}; /api/docs/ lists every address.")


def _api_failure(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"code": code, "message": message, "fields": {}}, status=status)


def _wants_json(request: HttpRequest) -> bool:
    return (
        request.path.startswith("/api/")
        or "HX-Request" in request.headers
        or "json" in request.headers.get("Accept", "")
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_json(request) and isinstance(exception, RequestDataTooBig):
        error = TooLarge(f"the body is too large; allowed: {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes")
        return JsonResponse(error.as_json(), status=error.status)
    if _wants_json(request):
        return _api_failure(400, "bad_request", "The request is not valid.")
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_json(request):
        return _api_failure(403, "not_allowed", str(exception) or "You may not do this.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_json(request):
        return _api_failure(404, "not_found", "There is nothing at this address, or no longer.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """What nobody caught: 503 where the database is locked or away, so that programs try again, else 500."""
    busy = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    if _wants_json(request) and busy:
        error = DatabaseBusy()
        response: HttpResponse = JsonResponse(error.as_json(), status=error.status)
    elif _wants_json(request):
        response = _api_failure(500, "error", "The desk failed; the error is in its log. Nothing you saved is lost.")
    else:
        name = "503.html" if busy else "500.html"
        response = HttpResponse(get_template(name).render(), status=503 if busy else 500)
    if busy:
        response["Retry-After"] = str(RETRY_AFTER)
    return response


def api_docs(request: HttpRequest) -> HttpResponse:
    """The OpenAPI page; its script is a static file, since the policy allows no inline one."""
    return render(request, "reviewdesk/api_docs.html")
