"""`experiments`: list, show, start, end, roll back."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from abtests.models import Experiment
from abtests.reports import facts, figures, headline
from reviewdesk.experiments import rollout, services
from reviewdesk.people.access import api_for
from reviewdesk.people.models import ADMIN

Allowed = api_for("experiments", ADMIN)
SHOWN = 100


class ReasonInput(serializers.Serializer):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


def _reason(request: Request) -> dict:
    given = ReasonInput(data=request.data)
    given.is_valid(raise_exception=True)
    return given.validated_data


def _answer(slug: str) -> Response:
    return Response(figures(get_object_or_404(Experiment, slug=slug)))


@extend_schema(responses={200: {"type": "object"}})
@api_view(["GET"])
@permission_classes([Allowed])
def experiments(request: Request) -> Response:
    """The latest tests with what each has shown; their figures have addresses of their own."""
    rows = [(e, headline(e)) for e in Experiment.objects.all()[:SHOWN]]
    return Response({"experiments": [facts(e) | {"decision": word, "reason": said} for e, (word, said) in rows]})


@extend_schema(responses={200: {"type": "object"}})
@api_view(["GET"])
@permission_classes([Allowed])
def experiment(request: Request, slug: str) -> Response:
    """The whole report of a test."""
    return _answer(slug)


@extend_schema(request=None, responses={200: {"type": "object"}})
@api_view(["POST"])
@permission_classes([Allowed])
def start(request: Request, slug: str) -> Response:
    """Begin a test that was made on its page."""
    services.start(experiment=get_object_or_404(Experiment, slug=slug), by=request.user)
    return _answer(slug)


@extend_schema(request=ReasonInput, responses={200: {"type": "object"}})
@api_view(["POST"])
@permission_classes([Allowed])
def end(request: Request, slug: str) -> Response:
    """Let the control answer everything again."""
    services.end(experiment=get_object_or_404(Experiment, slug=slug), by=request.user, **_reason(request))
    return _answer(slug)


@extend_schema(request=ReasonInput, responses={200: {"type": "object"}})
@api_view(["POST"])
@permission_classes([Allowed])
def roll_back(request: Request, slug: str) -> Response:
    """End a rollout, or put the control back into production."""
    rollout.roll_back(experiment=get_object_or_404(Experiment, slug=slug), by=request.user, **_reason(request))
    return _answer(slug)
