"""Turns a DeskError raised in a page into an answer a person can read; shows times in the desk's zone."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from reviewdesk.errors import DeskError
from reviewdesk.switches.queries import desk_zone


class ErrorsAsAnswers:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """JSON for scripts (htmx shows its message), a page for everybody else."""
        if not isinstance(error, DeskError):
            return None
        if getattr(request, "htmx", False) or "json" in request.headers.get("Accept", ""):
            return JsonResponse(error.as_json(), status=error.status)
        return render(request, "reviewdesk/error.html", {"error": error}, status=error.status)


errors_as_answers = ErrorsAsAnswers


def in_the_desks_zone(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        with timezone.override(desk_zone.get()):
            return get_response(request)

    return answer
