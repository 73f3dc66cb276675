"""What the forms of all apps share: several files in one field, and one way from errors to a DeskError."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.forms import BaseForm, ClearableFileInput, FileField, ValidationError

from reviewdesk.errors import DeskError

MAX_KEY = 2**63 - 1  # the largest key of a table


def as_key(text: str) -> int | None:
    """A table's key as it stands in an address; None for anything else, such as `²`, which `isdigit` takes."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return None
    key = int(text)
    return key if key <= MAX_KEY else None


def checked(form: BaseForm) -> dict[str, Any]:
    """The cleaned fields; raises DeskError naming each field at fault."""
    if form.is_valid():
        return form.cleaned_data
    fields = {name: [str(e) for e in errors] for name, errors in form.errors.items()}
    text = "; ".join(f"{name}: {' '.join(errors)}" for name, errors in fields.items())
    raise DeskError(text, fields=fields)


class _ManyFiles(ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(FileField):
    """Several files; cleaned to a list."""

    widget = _ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        given = data if isinstance(data, list | tuple) else [data] if data else []
        if self.required and not given:
            raise ValidationError("Choose a file.")
        return [super(ManyFilesField, self).clean(file, initial) for file in given]
