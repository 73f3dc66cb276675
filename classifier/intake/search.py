"""Full-text search over emails: FTS5 on SQLite, tsvector on PostgreSQL."""

import re

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from classifier.models import Email

_WORD = re.compile(r"\w+")
_MAX_WORDS = 12


def index_email(email: Email) -> None:
    """Add a stored email to the index, in the caller's transaction. PostgreSQL indexes by itself."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO email_search(rowid, subject, body) VALUES (%s, %s, %s)",
                [email.pk, email.subject, email.body],
            )


def matching(text: str, *, prefix: str = "") -> Q:
    """Emails in which every word of `text` begins a word, or whose sender's name or address holds it.

    `prefix` is the path to the email from the model that is filtered, such as `latest_email__`.
    """
    words = _WORD.findall(text)[:_MAX_WORDS]
    sender = Q(**{f"{prefix}customer__address__icontains": text}) | Q(**{f"{prefix}customer__name__icontains": text})
    if not words:
        return sender
    if connection.vendor == "sqlite":
        query = " ".join(f'"{word}"*' for word in words)
        found = RawSQL("SELECT rowid FROM email_search WHERE email_search MATCH %s", [query])
    else:
        found = RawSQL(
            "SELECT id FROM classifier_email WHERE to_tsvector('simple', subject || ' ' || left(body, 200000))"
            " @@ to_tsquery('simple', %s)",
            [" & ".join(f"{word}:*" for word in words)],
        )
    return Q(**{f"{prefix}pk__in": found}) | sender
