"""What the upload page sends."""

from typing import Any

from django import forms

from classifier.intake.readers import ALLOWED
from classifier.models import Department
from classifier.visibility import visible_departments
from reviewdesk.people.models import ADMIN, User


class UploadForm(forms.Form):
    """Mail goes into departments that `user` may see; new labels only an admin makes."""

    file = forms.FileField()
    department = forms.ModelChoiceField(Department.objects.none(), to_field_name="slug", required=False)
    create_labels = forms.BooleanField(required=False)

    def __init__(self, *args: Any, user: User):
        super().__init__(*args)
        self.fields["department"].queryset = visible_departments(user)  # type: ignore[attr-defined]
        self.may_create_labels = ADMIN in user.roles

    def clean_create_labels(self) -> bool:
        wanted = self.cleaned_data["create_labels"]
        if wanted and not self.may_create_labels:
            raise forms.ValidationError("Only an admin creates departments and labels.")
        return wanted

    def clean_file(self):
        file = self.cleaned_data["file"]
        if not file.name.lower().removesuffix(".gz").endswith(ALLOWED):
            raise forms.ValidationError(
                f"{file.name} has the wrong ending; allowed: {', '.join(ALLOWED)}, each also .gz"
            )
        return file

    def clean(self):
        fields = super().clean() or {}
        file = fields.get("file")
        raw = file and file.name.lower().removesuffix(".gz").endswith((".mbox", ".eml"))
        if raw and not fields.get("department"):
            self.add_error("department", "Choose the department that raw mail belongs to.")
        return fields
