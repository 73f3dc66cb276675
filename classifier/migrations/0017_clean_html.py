"""HTML mail is cleaned once, when it comes in."""

from django.db import migrations, models

CHUNK = 100


def clean_stored(apps, schema_editor):
    """Emails that came in before: cleaned once here, as later ones are when they come in."""
    from classifier.intake.html import clean_html

    Email = apps.get_model("classifier", "Email")
    last = 0
    while chunk := list(Email.objects.filter(pk__gt=last).exclude(html="").order_by("pk").only("html")[:CHUNK]):
        for email in chunk:
            email.clean_html = clean_html(email.html)
        Email.objects.bulk_update(chunk, ["clean_html"])
        last = chunk[-1].pk


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0016_answers_without_subtype"),
    ]

    operations = [
        migrations.AddField(
            model_name="email",
            name="clean_html",
            field=models.TextField(blank=True, help_text="What may be shown of it, cleaned when it came in."),
        ),
        migrations.RunPython(clean_stored, migrations.RunPython.noop),
    ]
