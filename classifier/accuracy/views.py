"""The accuracy page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from classifier.accuracy.queries import weeks
from reviewdesk.people.access import for_roles
from reviewdesk.people.models import ADMIN, REVIEWER


@for_roles(ADMIN, REVIEWER)
def accuracy(request: HttpRequest) -> HttpResponse:
    found = weeks()
    return render(request, "classifier/accuracy.html", {"weeks": found, "latest": found[0] if found else None})
