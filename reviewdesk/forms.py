"""One way from a form's errors to a DeskError."""

from typing import Any

from django.forms import BaseForm

from reviewdesk.errors import DeskError


def checked(form: BaseForm) -> dict[str, Any]:
    """The cleaned fields; raises DeskError naming each field at fault."""
    if form.is_valid():
        return form.cleaned_data
    fields = {name: [str(e) for e in errors] for name, errors in form.errors.items()}
    text = "; ".join(f"{name}: {' '.join(errors)}" for name, errors in fields.items())
    raise DeskError(text, fields=fields)
