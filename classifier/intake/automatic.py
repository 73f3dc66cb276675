"""Recognises mail that no person wrote to us: auto-replies, bounces, list mail.

RFC 3834 (Auto-Submitted), RFC 3464 (delivery status notifications), RFC 2919 (List-Id).
"""

import re
from email.message import Message

_BOUNCE_SENDER = re.compile(r"\b(?:mailer-daemon|postmaster)@", re.IGNORECASE)
_BOUNCE_SUBJECT = re.compile(
    r"^(?:undeliver|mail delivery (?:failed|subsystem)|delivery status notification|returned mail|failure notice|unzustellbar)",
    re.IGNORECASE,
)
_REPLY_SUBJECT = re.compile(
    r"^(?:auto(?:matic|matische)?[- ]?(?:reply|antwort|response)|out of (?:the )?office|abwesenheit|"
    r"réponse automatique|respuesta automática|risposta automatica)\s*(?:[:\-–(]|$)",
    re.IGNORECASE,
)


def automatic_kind(message: Message, subject: str, sender: str) -> str:
    """`auto_reply`, `bounce`, `list`, or empty for mail from a person."""

    def header(name: str) -> str:
        return str(message.get(name) or "").strip().lower()

    report = message.get_content_type() == "multipart/report"
    if report and "delivery-status" in str(message.get_param("report-type") or "").lower():
        return "bounce"
    if header("return-path") == "<>" and (_BOUNCE_SENDER.search(sender + "@") or _BOUNCE_SUBJECT.match(subject)):
        return "bounce"
    if _BOUNCE_SENDER.search(sender) and _BOUNCE_SUBJECT.match(subject):
        return "bounce"
    submitted = header("auto-submitted")
    if (submitted and submitted != "no") or header("x-autoreply") or header("x-autorespond"):
        return "auto_reply"
    if header("precedence") == "auto_reply" or _REPLY_SUBJECT.match(subject):
        return "auto_reply"
    if message.get("list-id") or message.get("list-unsubscribe") or header("precedence") in ("list", "bulk", "junk"):
        return "list"
    return ""
