"""The API's errors, every one as `{code, message, fields}`."""

from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from rest_framework import exceptions
from rest_framework.parsers import JSONParser
from rest_framework.response import Response
from rest_framework.views import exception_handler

from reviewdesk.errors import RETRY_AFTER, DatabaseBusy, DeskError, TooLarge


class BoundedJSONParser(JSONParser):
    """JSON of a limited size, which is not nested without end."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request, most = (parser_context or {}).get("request"), settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        size = int(request.META.get("CONTENT_LENGTH") or 0) if request is not None else 0
        if size > most:
            raise TooLarge(f"the body has {size:,} bytes; allowed: {most:,}. Send fewer emails at once.")
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError("The JSON is nested too deep; allowed: some 500 levels.") from None


def api_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler: every error as `{code, message, fields}`."""
    if isinstance(error, OperationalError | InterfaceError):
        error = DatabaseBusy()
    if isinstance(error, DeskError):
        headers = {"Retry-After": str(RETRY_AFTER)} if error.status == 503 else None
        return Response(error.as_json(), status=error.status, headers=headers)
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
