"""The audit trail as a page and as a CSV file."""

import csv
import json
from collections.abc import Iterator
from typing import Any

from django import forms
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from reviewdesk.audit.queries import PAGE, Filters, actions, events, walk
from reviewdesk.csv_cells import csv_cells
from reviewdesk.forms import as_key
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, User

COLUMNS = ("at", "person", "action", "object", "object_id", "detail")


class FilterForm(forms.Form):
    person = forms.CharField(max_length=150, required=False)
    action = forms.CharField(max_length=60, required=False)
    object = forms.CharField(max_length=80, required=False)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)

    @property
    def filters(self) -> Filters:
        """Those that are valid; one that is not is left out."""
        self.is_valid()
        return Filters(**{k: v for k, v in self.cleaned_data.items() if v})


@for_roles(ADMIN)
def audit(request: DeskRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    before = request.GET.get("before", "")
    rows = list(events(form.filters, before=as_key(before))[: PAGE + 1])
    context = {
        "events": rows[:PAGE],
        "more": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "form": form,
        "actions": actions(),
        "people": User.objects.order_by("username").values_list("username", flat=True),
    }
    return render(request, "reviewdesk/audit.html", context)


@for_roles(ADMIN)
def audit_download(request: DeskRequest) -> StreamingHttpResponse:
    """What the filters let through, however much it is."""
    lines = _lines(FilterForm(request.GET).filters)
    response = StreamingHttpResponse(lines, content_type="text/csv")
    response["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return response


class _Echo:
    def write(self, line: str) -> str:
        return line


def _lines(filters: Filters) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for e in walk(filters):
        person = e.actor.username if e.actor else ""
        detail = json.dumps(e.detail, ensure_ascii=False)
        yield writer.writerow(csv_cells([e.at.isoformat(), person, e.action, e.object_type, e.object_id, detail]))
