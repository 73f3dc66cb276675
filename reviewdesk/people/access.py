"""Who may: a decorator for pages, a permission for endpoints; every one of either names its roles."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from reviewdesk.errors import NotAllowed
from reviewdesk.people.models import ApiToken, User

R = TypeVar("R", bound=HttpResponseBase)


class DeskRequest(HttpRequest):
    """A request of somebody who is logged in, as LoginRequiredMiddleware lets through."""

    user: User  # type: ignore[assignment]
    htmx: HtmxDetails


def for_roles(*roles: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Let only people with one of the roles in; admins hold every role."""

    def decorate(view: Callable[..., R]) -> Callable[..., R]:
        @wraps(view)
        def guarded(request: DeskRequest, *args: Any, **kwargs: Any) -> R:
            if not request.user.roles & set(roles):
                raise NotAllowed(f"This page is for the role {' or '.join(roles)}; ask an admin for it.")
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def api_for(scope: str, *roles: str) -> type[BasePermission]:
    """A REST permission: one of the roles, and a token (where one is used) with the scope."""

    class Allowed(BasePermission):
        message = f"Needs the role {' or '.join(roles)} and, with a token, the scope {scope}."

        def has_permission(self, request: Request, view: object) -> bool:
            if not request.user.is_authenticated or not request.user.roles & set(roles):
                return False
            return not isinstance(request.auth, ApiToken) or scope in request.auth.scopes

    return Allowed
