"""The API's errors, every one as `{code, message, fields}`."""

from typing import Any

from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from reviewdesk.errors import DeskError


def api_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler: every error as `{code, message, fields}`."""
    if isinstance(error, DeskError):
        return Response(error.as_json(), status=error.status)
    response = exception_handler(error, context)
    if response is None:
        return None
    fields = response.data if isinstance(error, exceptions.ValidationError) else {}
    detail = getattr(error, "detail", str(error))
    code = getattr(detail, "code", None) or getattr(error, "default_code", "error")
    message = "The input is not valid; see fields." if fields else str(detail)
    response.data = {
        "code": code,
        "message": message,
        "fields": fields if isinstance(fields, dict) else {"items": fields},
    }
    return response
