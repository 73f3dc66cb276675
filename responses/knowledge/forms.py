"""What the knowledge pages send."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from django import forms

from classifier.models import Department
from classifier.visibility import visible_departments
from responses.knowledge.reading import READERS, unzip
from responses.models import Document
from reviewdesk.errors import DeskError
from reviewdesk.forms import ManyFilesField
from reviewdesk.people.models import User

ACCEPTED = (*READERS, ".zip")
MAX_FILES = 200


class DocumentForm(forms.Form):
    """New knowledge: files, or a text with its title."""

    uploads = ManyFilesField(required=False)
    title = forms.CharField(max_length=200, required=False)
    text = forms.CharField(required=False, strip=False)
    department = forms.ModelChoiceField(Department.objects.filter(active=True), to_field_name="slug")
    doc_type = forms.ChoiceField(choices=Document.Type.choices, initial=Document.Type.GUIDE)
    internal = forms.BooleanField(required=False)

    def clean(self):
        fields = super().clean()
        files, text = fields.get("uploads") or [], (fields.get("text") or "").strip()
        if not files and not text:
            raise forms.ValidationError("Choose files, or write a text.")
        if text and not fields.get("title"):
            self.add_error("title", "A text needs a title.")
        for file in files:
            if PurePosixPath(file.name.lower()).suffix not in ACCEPTED:
                self.add_error("uploads", f"{file.name} cannot be read; allowed: {', '.join(ACCEPTED)}")
        return fields

    def documents(self) -> Iterator[dict]:
        """The fields of `add_document`, one by one; zips are opened. Raises DeskError for too many files."""
        given = self.cleaned_data
        common = {
            "department": given["department"],
            "doc_type": given["doc_type"],
            "internal": given["internal"] or None,
        }
        if given["text"].strip():
            yield common | {"title": given["title"], "text": given["text"].replace("\r\n", "\n").strip()}
        for number, (name, data) in enumerate(_contents(given["uploads"])):
            if number >= MAX_FILES:
                raise DeskError(f"More than {MAX_FILES} files at once; use manage.py index_documents for them.")
            path = PurePosixPath(name)
            title = path.stem.replace("-", " ").replace("_", " ").strip().capitalize() or name
            yield common | {"title": title, "slug": name, "file": (path.name, data)}


def _contents(files) -> Iterator[tuple[str, bytes]]:
    for file in files:
        data = file.read()
        yield from unzip(file.name, data) if file.name.lower().endswith(".zip") else [(file.name, data)]


class DetailsForm(forms.Form):
    title = forms.CharField(max_length=200)
    department = forms.ModelChoiceField(Department.objects.filter(active=True), to_field_name="slug")
    doc_type = forms.ChoiceField(choices=Document.Type.choices)
    internal = forms.BooleanField(required=False)


class ReplaceForm(forms.Form):
    file = forms.FileField(required=False)
    text = forms.CharField(required=False, strip=False)


class DepartmentOfUserForm(forms.Form):
    """`department` is one that `user` may see."""

    department = forms.ModelChoiceField(Department.objects.none(), to_field_name="slug")

    def __init__(self, *args: Any, user: User):
        super().__init__(*args)
        self.fields["department"].queryset = visible_departments(user)  # type: ignore[attr-defined]


class ListForm(DepartmentOfUserForm):
    """The filters of the list."""

    q = forms.CharField(max_length=200, required=False)
    department = forms.ModelChoiceField(Department.objects.none(), to_field_name="slug", required=False)
    doc_type = forms.ChoiceField(choices=[("", "All kinds"), *Document.Type.choices], required=False)
    status = forms.ChoiceField(choices=[("", "In use"), ("failed", "Failed"), ("retired", "Retired")], required=False)


class SearchForm(DepartmentOfUserForm):
    q = forms.CharField(max_length=2_000)
