from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("responses", "0004_vectors_moved")]

    operations = [
        migrations.AddField(
            model_name="knowledgestate",
            name="index_until",
            field=models.DateTimeField(help_text="Until when a process may write to a shared index.", null=True),
        ),
    ]
