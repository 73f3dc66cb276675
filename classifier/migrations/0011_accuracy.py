"""Weekly samples have rounds, a seed and a window; a plan and alerts beside them."""

from datetime import timedelta

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models


def set_windows(apps, schema_editor):
    """Draws made before took the seven days before they were made."""
    for draw in apps.get_model("classifier", "SampleDraw").objects.all():
        draw.since, draw.until = draw.created_at - timedelta(days=7), draw.created_at
        draw.save(update_fields=["since", "until"])


DESIGNS = [("uniform", "Every email alike"), ("department", "By department, each at least a few")]


class Migration(migrations.Migration):
    dependencies = [("classifier", "0010_visibility")]

    operations = [
        migrations.CreateModel(
            name="SamplePlan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("size", models.PositiveSmallIntegerField(blank=True, help_text="Emails a week; empty: the desk's own.", null=True, validators=[django.core.validators.MinValueValidator(10), django.core.validators.MaxValueValidator(2000)])),
                ("design", models.CharField(choices=DESIGNS, default="uniform", max_length=12)),
                ("bar", models.FloatField(default=0.85, help_text="Subtype accuracy below which an alert is raised.", validators=[django.core.validators.MinValueValidator(0.5), django.core.validators.MaxValueValidator(0.99)])),
            ],
        ),
        migrations.AlterField("sampledraw", "week", models.DateField()),
        migrations.AddField("sampledraw", "round", models.PositiveSmallIntegerField(default=1)),
        migrations.AddField("sampledraw", "design", models.CharField(choices=DESIGNS, default="uniform", max_length=12)),
        migrations.AddField("sampledraw", "seed", models.BigIntegerField(default=0)),
        migrations.AddField("sampledraw", "since", models.DateTimeField(null=True)),
        migrations.AddField("sampledraw", "until", models.DateTimeField(null=True)),
        migrations.RunPython(set_windows, migrations.RunPython.noop),
        migrations.AlterField("sampledraw", "since", models.DateTimeField()),
        migrations.AlterField("sampledraw", "until", models.DateTimeField()),
        migrations.AddField("sampledraw", "reminded_at", models.DateTimeField(null=True)),
        migrations.AddField("sampledraw", "closed_at", models.DateTimeField(help_text="Every email was answered, or its time was over.", null=True)),
        migrations.AddConstraint("sampledraw", models.UniqueConstraint(fields=("week", "round"), name="one_draw_a_week_and_round")),
        migrations.CreateModel(
            name="AccuracyAlert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bar", models.FloatField()),
                ("weeks", models.PositiveSmallIntegerField(help_text="How many were pooled.")),
                ("value", models.FloatField()),
                ("low", models.FloatField()),
                ("high", models.FloatField()),
                ("n", models.PositiveIntegerField()),
                ("opened_at", models.DateTimeField(auto_now_add=True)),
                ("closed_at", models.DateTimeField(null=True)),
                ("department", models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="classifier.department")),
                ("version", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="alerts", to="classifier.modelversion")),
            ],
            options={
                "ordering": ["-pk"],
                "constraints": [models.UniqueConstraint(django.db.models.functions.comparison.Coalesce("department", 0), condition=models.Q(("closed_at", None)), name="one_open_accuracy_alert")],
            },
        ),
    ]  # fmt: skip
