"""The accuracy page."""

from django.http import HttpResponse
from django.shortcuts import render

from classifier.accuracy.queries import weeks
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, REVIEWER


@for_roles(ADMIN, REVIEWER)
def accuracy(request: DeskRequest) -> HttpResponse:
    found = weeks()
    return render(request, "classifier/accuracy.html", {"weeks": found, "latest": found[0] if found else None})
