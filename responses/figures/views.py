"""The page of drafting figures."""

from django.http import HttpResponse
from django.shortcuts import render

from responses.figures.queries import SPAN, groups
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN, AGENT


@for_roles(AGENT, ADMIN)
def draft_figures(request: DeskRequest) -> HttpResponse:
    return render(request, "responses/figures.html", {"tables": groups(request.user), "days": SPAN.days})
