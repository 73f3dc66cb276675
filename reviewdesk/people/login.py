"""Asks for a login: a page for people, a 401 with a message for the scripts of a page."""

from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, JsonResponse


class DeskLoginRequiredMiddleware(LoginRequiredMiddleware):
    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> Any:
        """A redirect would be followed by a script and taken for a yes, and what was typed would be lost."""
        if "HX-Request" in request.headers or "json" in request.headers.get("Accept", ""):
            message = "You are logged out. What you wrote is still here: log in in another tab, then go on."
            return JsonResponse({"code": "logged_out", "message": message, "fields": {}}, status=401)
        return super().handle_no_permission(request, view_func)
