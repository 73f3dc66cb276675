"""Rows of the replies, one file per noun."""

from responses.models.draft import Draft, DraftAttachment, DraftSource
from responses.models.job import DraftJob
from responses.models.knowledge import Document, KnowledgeState, Passage, PassageVectors
from responses.models.macro import Macro
from responses.models.note import Note, Presence
from responses.models.outgoing import OutgoingMessage

__all__ = [
    "Document",
    "Draft",
    "DraftAttachment",
    "DraftJob",
    "DraftSource",
    "KnowledgeState",
    "Macro",
    "Note",
    "OutgoingMessage",
    "Passage",
    "PassageVectors",
    "Presence",
]
