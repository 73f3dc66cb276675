"""What every reader hands over: one parsed email, or one refused piece of input."""

from dataclasses import dataclass, field
from datetime import datetime

MAX_MESSAGE_BYTES = 25 * 2**20


@dataclass(frozen=True)
class ParsedAttachment:
    filename: str
    content_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True)
class ParsedEmail:
    """An email as the sender meant it. `raw` is empty where there was no message, only a row."""

    sender_name: str = ""
    sender_address: str = ""
    to: str = ""
    subject: str = ""
    body: str = ""
    html: str = ""
    received_at: datetime | None = None
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    external_id: str = ""
    attachments: tuple[ParsedAttachment, ...] = ()
    automatic: str = ""
    defects: tuple[str, ...] = ()
    broken: bool = False
    raw: bytes = b""
    department: str = ""
    type: str = ""
    subtype: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Rejected:
    """A piece of input that was not kept; `reason` says what it is and what is allowed."""

    file: str
    reason: str
    line: int | None = None
    field: str = ""

    def as_json(self) -> dict:
        return {"file": self.file, "line": self.line, "field": self.field, "reason": self.reason}


@dataclass
class ImportResult:
    """What an import did; unreadable emails are stored and counted in `new` too."""

    new: int = 0
    duplicates: int = 0
    unreadable: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def as_json(self) -> dict:
        return {
            "new": self.new,
            "duplicates": self.duplicates,
            "unreadable": self.unreadable,
            "rejected": [r.as_json() for r in self.rejected],
        }

    @property
    def seen(self) -> int:
        return self.new + self.duplicates + len(self.rejected)
