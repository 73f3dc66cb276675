"""Full-text indexes over what the desk's own people write: notes, and messages that leave."""

from classifier.intake.search import TextIndex
from responses.models import Note, OutgoingMessage

NOTES = TextIndex("note_search", "responses_note", ("text",), "text")
OUTGOING = TextIndex(
    "outgoing_search",
    "responses_outgoingmessage",
    ("subject", "body"),
    "subject || ' ' || left(body, 200000)",
)


def index_note(note: Note) -> None:
    """Add a stored note to the index, in the caller's transaction."""
    NOTES.add(note.pk, note.text)


def index_outgoing(message: OutgoingMessage) -> None:
    """Add a stored message to the index, in the caller's transaction."""
    OUTGOING.add(message.pk, message.subject, message.body)
