"""What the review page sends."""

from typing import Any

from django import forms

from classifier.models import Department, EmailType


class AnswerForm(forms.Form):
    lease = forms.CharField(max_length=32)
    idempotency_key = forms.CharField(max_length=64)
    action = forms.ChoiceField(choices=[(a, a) for a in ("confirm", "skip", "flag")])
    type = forms.ChoiceField(choices=EmailType.choices, required=False)
    subtype = forms.CharField(max_length=80, required=False)
    second_subtype = forms.CharField(max_length=80, required=False)
    seconds = forms.FloatField(required=False, min_value=0)
    reason = forms.CharField(max_length=500, required=False)

    def clean(self) -> dict[str, Any]:
        return without_subtype(super().clean() or {})


def without_subtype(fields: dict[str, Any]) -> dict[str, Any]:
    """`~none_fits` and `~undecided` stand among the subtypes to choose from, and are none: no slug begins so."""
    subtype = fields.get("subtype", "")
    chosen = subtype.removeprefix("~") if subtype.startswith("~") else ""
    return fields | {"without_subtype": chosen, "subtype": "" if chosen else subtype}


class DecisionForm(forms.Form):
    type = forms.ChoiceField(choices=EmailType.choices, required=False)
    subtype = forms.CharField(max_length=80, required=False)
    reason = forms.CharField(max_length=500, required=False)

    def clean(self) -> dict[str, Any]:
        """`query:none_fits` as a subtype names the type too: a button sends one value."""
        fields = super().clean() or {}
        kind, separator, reason = fields.get("subtype", "").partition(":")
        if separator:
            fields |= {"type": kind, "subtype": f"~{reason}" if reason else ""}
        return without_subtype(fields)


class MoveForm(forms.Form):
    lease = forms.CharField(max_length=32)
    idempotency_key = forms.CharField(max_length=64, required=False)
    department = forms.ModelChoiceField(Department.objects.filter(active=True), to_field_name="slug")
