"""What the inbox sends, and the filters of its URL."""

from functools import cached_property
from typing import Any

from django import forms
from django.db.models import QuerySet

from classifier.models import Department, EmailType, Thread
from classifier.visibility import visible_departments
from responses.inbox.threads import SNOOZES
from reviewdesk.forms import ManyFilesField, as_key
from reviewdesk.people.models import User


class FilterForm(forms.Form):
    q = forms.CharField(max_length=200, required=False)
    status = forms.ChoiceField(
        choices=[
            ("open", "Open"),
            ("ready", "Draft ready"),
            ("unsent", "Not sent"),
            ("answered", "Answered"),
            ("snoozed", "Snoozed"),
            ("closed", "Closed"),
            ("all", "All"),
        ],
        required=False,
    )
    department = forms.ModelChoiceField(
        Department.objects.filter(active=True), to_field_name="slug", required=False, empty_label="All departments"
    )
    type = forms.ChoiceField(choices=[("", "All types"), *EmailType.choices], required=False)
    subtype = forms.CharField(max_length=80, required=False)
    tag = forms.CharField(max_length=30, required=False)
    assignee = forms.ChoiceField(
        choices=[("", "Anyone"), ("me", "Assigned to me"), ("nobody", "Unassigned")], required=False
    )
    confidence = forms.ChoiceField(
        choices=[("", "Any confidence"), ("low", "Under 0.5"), ("high", "0.5 and over"), ("verified", "Verified")],
        required=False,
    )

    def __init__(self, *args: Any, user: User | None = None, **kwargs: Any):
        super().__init__(*args, auto_id="filter-%s", **kwargs)
        if user is not None:
            self.fields["department"].queryset = visible_departments(user)  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs["class"] = "field"
        self.fields["q"].widget.attrs |= {"placeholder": "Search  /", "data-page-filter": "", "type": "search"}
        for name, label in (
            ("status", "Status"),
            ("department", "Department"),
            ("type", "Type"),
            ("confidence", "Confidence"),
            ("assignee", "Assigned to"),
            ("q", "Search"),
        ):
            self.fields[name].widget.attrs["aria-label"] = label

    @cached_property
    def values(self) -> dict:
        """The filters that are valid."""
        self.is_valid()
        return self.cleaned_data


class LabelForm(forms.Form):
    type = forms.ChoiceField(choices=EmailType.choices, required=False)
    subtype = forms.CharField(max_length=80, required=False)


class DepartmentForm(forms.Form):
    department = forms.ModelChoiceField(Department.objects.filter(active=True), to_field_name="slug")


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=500)


class ReplyTextForm(forms.Form):
    """A reply as it stands in its field."""

    body = forms.CharField(required=False, strip=False)
    cc = forms.CharField(max_length=2_000, required=False)
    bcc = forms.CharField(max_length=2_000, required=False)
    closes = forms.BooleanField(required=False)


class DraftForm(ReplyTextForm):
    version = forms.IntegerField()


class ResolveForm(ReplyTextForm):
    """`draft` and `version`: the other text as the person saw it; empty where the draft is gone."""

    draft = forms.IntegerField(required=False)
    version = forms.IntegerField(required=False)
    keep = forms.ChoiceField(choices=[("mine", "mine"), ("theirs", "theirs")])


class AssignForm(forms.Form):
    """`to` empty: nobody."""

    to = forms.ModelChoiceField(User.objects.filter(is_active=True), to_field_name="username", required=False)


class SnoozeForm(forms.Form):
    how_long = forms.ChoiceField(choices=[("", "")] + [(k, label) for k, (label, _) in SNOOZES.items()], required=False)


class TagsForm(forms.Form):
    tags = forms.CharField(max_length=400, required=False)

    def clean_tags(self) -> list[str]:
        return self.cleaned_data["tags"].split(",")


class MergeForm(forms.Form):
    """`threads`: those that the person may merge."""

    into = forms.ModelChoiceField(Thread.objects.none())

    def __init__(self, data: Any, *, threads: QuerySet[Thread]):
        super().__init__(data)
        self.fields["into"].queryset = threads  # type: ignore[attr-defined]


class NoteForm(forms.Form):
    text = forms.CharField(max_length=10_000)


class VersionForm(forms.Form):
    version = forms.IntegerField()


class AttachForm(forms.Form):
    uploads = ManyFilesField()


class RedraftForm(forms.Form):
    hint = forms.CharField(max_length=300, required=False)


class RatingForm(forms.Form):
    rating = forms.TypedChoiceField(choices=[(1, "up"), (-1, "down")], coerce=int)
    reason = forms.CharField(max_length=500, required=False)


class RejectForm(ReasonForm):
    version = forms.IntegerField()


class StatusForm(forms.Form):
    status = forms.ChoiceField(choices=[(s, s) for s in (Thread.Status.OPEN, Thread.Status.CLOSED)])


class BulkForm(StatusForm):
    def __init__(self, data, **kwargs):
        super().__init__(data, **kwargs)
        ticked = [(v, v) for v in data.getlist("threads") if as_key(v) is not None][:500]
        self.fields["threads"] = forms.TypedMultipleChoiceField(coerce=int, choices=ticked)


class ForwardForm(forms.Form):
    """Several addresses in one line, with commas."""

    to = forms.CharField(max_length=2_000)
    cc = forms.CharField(max_length=2_000, required=False)
    note = forms.CharField(max_length=20_000, required=False)
    with_files = forms.BooleanField(required=False)


class SettleForm(forms.Form):
    sent = forms.BooleanField(required=False)
