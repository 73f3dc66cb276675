"""The full-text index over emails: an external-content FTS5 table, or an expression index on PostgreSQL."""

from django.db import migrations

SQLITE = """
CREATE VIRTUAL TABLE email_search USING fts5(
    subject, body, content='classifier_email', content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3'
)
"""
POSTGRES = """
CREATE INDEX email_search ON classifier_email
USING gin (to_tsvector('simple', subject || ' ' || left(body, 200000)))
"""


def create(apps, schema_editor):
    schema_editor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRES)


def drop(apps, schema_editor):
    kind = "TABLE" if schema_editor.connection.vendor == "sqlite" else "INDEX"
    schema_editor.execute(f"DROP {kind} email_search")


class Migration(migrations.Migration):
    dependencies = [("classifier", "0002_relations")]
    operations = [migrations.RunPython(create, drop)]
