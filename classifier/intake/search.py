"""Full-text search: FTS5 on SQLite, tsvector on PostgreSQL. A migration makes each index."""

import re
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from classifier.models import Customer, Email

_WORD = re.compile(r"\w+")
_MAX_WORDS = 12


@dataclass(frozen=True)
class TextIndex:
    """A full-text index over text columns of one table: an external-content FTS5 table called `name`, or an
    expression index on PostgreSQL, where `document` is that expression."""

    name: str
    table: str
    columns: tuple[str, ...]
    document: str

    def add(self, pk: int, *texts: str) -> None:
        """Add a stored row, in the caller's transaction. PostgreSQL indexes by itself."""
        if connection.vendor != "sqlite":
            return
        places = ", ".join(["%s"] * (len(texts) + 1))
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {self.name}(rowid, {', '.join(self.columns)}) VALUES ({places})", [pk, *texts])

    def ids_matching(self, text: str) -> RawSQL | None:
        """Ids of the rows in which every word of `text` begins a word; None where `text` holds no word."""
        words = _WORD.findall(text)[:_MAX_WORDS]
        if not words:
            return None
        if connection.vendor == "sqlite":
            query = " ".join(f'"{word}"*' for word in words)
            return RawSQL(f"SELECT rowid FROM {self.name} WHERE {self.name} MATCH %s", [query])
        query = " & ".join(f"{word}:*" for word in words)
        return RawSQL(
            f"SELECT id FROM {self.table} WHERE to_tsvector('simple', {self.document}) @@ to_tsquery('simple', %s)",
            [query],
        )

    def filter(self, rows: QuerySet, text: str) -> QuerySet:
        ids = self.ids_matching(text)
        return rows.none() if ids is None else rows.filter(pk__in=ids)


EMAILS = TextIndex("email_search", "classifier_email", ("subject", "body"), "subject || ' ' || left(body, 200000)")


def index_email(email: Email) -> None:
    """Add a stored email to the index, in the caller's transaction."""
    EMAILS.add(email.pk, email.subject, email.body)


def emails_matching(text: str) -> Q:
    """Emails in which every word of `text` begins a word, or whose sender's name or address holds it."""
    senders = Customer.objects.filter(Q(address__icontains=text) | Q(name__icontains=text))
    by_sender = Q(customer__in=senders)
    ids = EMAILS.ids_matching(text)
    return by_sender if ids is None else Q(pk__in=ids) | by_sender
