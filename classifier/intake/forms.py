"""What the upload page sends."""

from django import forms

from classifier.intake.readers import ALLOWED
from classifier.models import Department


class UploadForm(forms.Form):
    file = forms.FileField()
    department = forms.ModelChoiceField(Department.objects.filter(active=True), to_field_name="slug", required=False)
    create_labels = forms.BooleanField(required=False)

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
