"""Errors that reach a person or a client, with a code, a message and an HTTP status.

DeskError                400  anything a caller can mend
├── NotAllowed           403  wrong role or department
├── Conflict             409  somebody or something was faster (code says which)
├── TooLarge             413  more than the desk takes at once
├── DatabaseBusy         503  the database is locked, full or away; try again
└── BackendError         503  a back end failed; `permanent` says whether retrying can help
"""

from typing import Any

RETRY_AFTER = 5  # seconds, where an error says that trying again can help


class DeskError(Exception):
    """`message` names the thing, its value and what is allowed; `fields` maps input fields to messages."""

    status = 400
    code = "invalid"

    def __init__(self, message: str, *, code: str = "", fields: dict[str, Any] | None = None):
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.fields = fields or {}

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "fields": self.fields}


class NotAllowed(DeskError):
    status = 403
    code = "not_allowed"


class Conflict(DeskError):
    status = 409
    code = "conflict"


class TooLarge(DeskError):
    status = 413
    code = "too_large"


class DatabaseBusy(DeskError):
    """The database took nothing: it is locked, its disk is full, or it is away."""

    status = 503
    code = "database_busy"

    def __init__(self) -> None:
        super().__init__("The database is busy or away; nothing was changed. Try again in a moment.")


class BackendError(DeskError):
    """A model, index or service behind the desk failed."""

    status = 503
    code = "backend"

    def __init__(self, message: str, *, permanent: bool = False):
        super().__init__(message)
        self.permanent = permanent
