from django.db import migrations


class Migration(migrations.Migration):
    """Vectors stand in rows of their own since 0003."""

    dependencies = [("responses", "0003_knowledge")]

    operations = [
        migrations.RemoveField(
            model_name="passage",
            name="dimension",
        ),
        migrations.RemoveField(
            model_name="passage",
            name="embedder",
        ),
        migrations.RemoveField(
            model_name="passage",
            name="embedding",
        ),
    ]
