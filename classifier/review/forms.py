"""What the review page sends."""

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


class DecisionForm(forms.Form):
    type = forms.ChoiceField(choices=EmailType.choices, required=False)
    subtype = forms.CharField(max_length=80, required=False)
    reason = forms.CharField(max_length=500, required=False)


class MoveForm(forms.Form):
    lease = forms.CharField(max_length=32)
    department = forms.ModelChoiceField(Department.objects.filter(active=True), to_field_name="slug")
