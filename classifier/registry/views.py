"""The models page."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from classifier.models import ModelVersion
from classifier.registry.services import find_version, promote
from reviewdesk.people.access import DeskRequest, for_roles
from reviewdesk.people.models import ADMIN


@for_roles(ADMIN)
def models(request: DeskRequest) -> HttpResponse:
    versions = ModelVersion.objects.order_by("-pk")[:200]
    return render(request, "classifier/models.html", {"versions": versions})


@require_POST
@for_roles(ADMIN)
def promote_model(request: DeskRequest, version: str) -> HttpResponse:
    promote(version=find_version(version), by=request.user)
    messages.info(request, f"{version} serves from now on; every process changes over within seconds.")
    return redirect("models")
