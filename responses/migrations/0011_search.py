"""Full-text indexes over notes and outgoing messages; notes get the department they were written in."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery

SQLITE = """
CREATE VIRTUAL TABLE {name} USING fts5(
    {columns}, content='{table}', content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3'
)
"""
POSTGRES = "CREATE INDEX {name} ON {table} USING gin (to_tsvector('simple', {document}))"
INDEXES = (
    {"name": "note_search", "table": "responses_note", "columns": "text", "document": "text"},
    {
        "name": "outgoing_search",
        "table": "responses_outgoingmessage",
        "columns": "subject, body",
        "document": "subject || ' ' || left(body, 200000)",
    },
)


def create(apps, schema_editor):
    on_sqlite = schema_editor.connection.vendor == "sqlite"
    for index in INDEXES:
        schema_editor.execute((SQLITE if on_sqlite else POSTGRES).format(**index))
        if on_sqlite:  # what is there already
            schema_editor.execute(f"INSERT INTO {index['name']}({index['name']}) VALUES ('rebuild')")


def drop(apps, schema_editor):
    kind = "TABLE" if schema_editor.connection.vendor == "sqlite" else "INDEX"
    for index in INDEXES:
        schema_editor.execute(f"DROP {kind} {index['name']}")


def set_departments(apps, schema_editor):
    Note = apps.get_model("responses", "Note")
    Thread = apps.get_model("classifier", "Thread")
    department = Thread.objects.filter(pk=OuterRef("thread")).values("latest_email__department")[:1]
    Note.objects.update(department=Subquery(department))


class Migration(migrations.Migration):
    dependencies = [("classifier", "0015_merged_departments"), ("responses", "0010_macros")]
    operations = [
        migrations.AddField(
            model_name="note",
            name="department",
            field=models.ForeignKey(
                help_text="Where the thread was when it was written; who may not see that does not see the note.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="classifier.department",
            ),
        ),
        migrations.RunPython(set_departments, migrations.RunPython.noop),
        migrations.RunPython(create, drop),
    ]
