"""What is asked for a test between two versions; the forms speak of percent and points, the rest of shares."""

from typing import Any

from django import forms

from abtests.health import LATENCY_MS, LATENCY_RATIO
from abtests.models import Experiment
from abtests.planning import USUAL_DISAGREEMENT
from classifier.models import Department

GUARDRAILS = (
    ("confidence", "Mean confidence may fall by", 0.01),
    ("low_confidence", "Share of low confidence may rise by", 0.01),
    ("error", "Error rate may rise by", 0.005),
    ("edit_distance", "Edit distance of drafts may rise by", 0.01),
    (LATENCY_RATIO, "Latency (95th percentile) at most, times A's", 0.1),
    (LATENCY_MS, "and at most, in milliseconds", 1),
)


class PlanForm(forms.Form):
    """What a plan needs; on the form it is asked for at each change."""

    mode = forms.ChoiceField(choices=Experiment.Mode.choices)
    control = forms.CharField(max_length=80)
    departments = forms.MultipleChoiceField(required=False)
    share = forms.FloatField(min_value=1, max_value=50, required=False)
    gain = forms.FloatField(min_value=0.1, max_value=50)
    weeks = forms.IntegerField(min_value=1, max_value=52)
    disagreement = forms.FloatField(min_value=0.1, max_value=100, required=False)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        slugs = Department.objects.filter(active=True).values_list("slug", "name")
        self.fields["departments"].choices = list(slugs)  # type: ignore[attr-defined]


class ExperimentForm(PlanForm):
    name = forms.CharField(max_length=120)
    treatment = forms.CharField(max_length=80)
    unit = forms.ChoiceField(choices=Experiment.Unit.choices, required=False)
    starts_at = forms.DateTimeField(required=False)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name, _, _ in GUARDRAILS:
            self.fields[f"guard_{name}"] = forms.FloatField(min_value=0, required=False)

    def guardrails(self) -> dict[str, float | None]:
        return {name: self.cleaned_data[f"guard_{name}"] for name, _, _ in GUARDRAILS if f"guard_{name}" in self.data}


class SplitForm(forms.Form):
    share = forms.FloatField(min_value=1, max_value=99)


class HoldForm(forms.Form):
    held = forms.BooleanField(required=False)


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300, required=False)


def as_shares(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a plan."""
    return {
        "mode": given["mode"],
        "control": given["control"],
        "departments": given["departments"],
        "weeks": given["weeks"],
        "gain": given["gain"] / 100,
        "share": (given["share"] or 10) / 100,
        "disagreement": (given["disagreement"] or USUAL_DISAGREEMENT * 100) / 100,
    }
