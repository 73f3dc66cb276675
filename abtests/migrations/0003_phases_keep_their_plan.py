"""The plan and the verdict belong to a phase: a change of the split, or a rollout, begins another."""

from django.db import migrations, models
from django.db.models import Q


def plans_to_phases(apps, schema_editor):
    """Stages of a rollout asked nobody: they keep a plan of nought."""
    Phase = apps.get_model("abtests", "Phase")
    asking = Phase.objects.filter(Q(share=0) | Q(sample_a__gt=0) | Q(sample_b__gt=0))
    for phase in asking.select_related("experiment"):
        phase.planned = phase.experiment.planned
        phase.save(update_fields=["planned"])
    Experiment = apps.get_model("abtests", "Experiment")
    for experiment in Experiment.objects.exclude(trouble="").exclude(status__in=["draft", "rolled_back"]):
        last = Phase.objects.filter(experiment=experiment).order_by("-number").first()
        if last is not None:
            Phase.objects.filter(pk=last.pk).update(trouble=experiment.trouble)
            Experiment.objects.filter(pk=experiment.pk).update(trouble="")


class Migration(migrations.Migration):
    dependencies = [("abtests", "0002_disagreement")]

    operations = [
        migrations.AddField("phase", "planned", models.PositiveIntegerField(
            default=0, help_text="Labels over both arms, or emails scored by both; nought in a stage of a rollout.")),
        migrations.AddField("phase", "complete", models.BooleanField(
            default=False, help_text="As many as planned were asked for; no more are.")),
        migrations.AddField("phase", "trouble", models.CharField(
            blank=True, default="", help_text="Why its figures are not to be used.", max_length=300), preserve_default=False),
        migrations.AddField("phase", "verdict", models.CharField(
            blank=True, default="", help_text="Kept when it ended, until something more comes in.", max_length=20), preserve_default=False),
        migrations.AddField("phase", "sentence", models.CharField(blank=True, default="", max_length=400), preserve_default=False),
        migrations.RunPython(plans_to_phases, migrations.RunPython.noop),
        migrations.RemoveField("experiment", "planned"),
        migrations.AlterField("experiment", "trouble", models.CharField(
            blank=True, help_text="Why it did not start, or was taken back.", max_length=300)),
    ]  # fmt: skip
