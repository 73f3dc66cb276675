"""Drafts for programs: read, edit, approve, take back, reject."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from responses.inbox import services
from responses.inbox.access import drafts_for, outgoing_for
from responses.models import Draft
from responses.sending import services as sending
from reviewdesk.errors import Conflict
from reviewdesk.people.access import api_for
from reviewdesk.people.models import AGENT, User

Agents = api_for("drafts", AGENT)


class SourceOutput(serializers.Serializer):
    number = serializers.IntegerField()
    title = serializers.CharField()
    doc_type = serializers.CharField()
    quote = serializers.CharField()
    score = serializers.FloatField()


class DraftOutput(serializers.Serializer):
    id = serializers.IntegerField()
    email = serializers.IntegerField(source="email_id")
    status = serializers.CharField()
    version = serializers.IntegerField()
    body = serializers.CharField()
    backend = serializers.CharField()
    model = serializers.CharField()
    saved_at = serializers.DateTimeField()
    sources = SourceOutput(many=True)


class VersionInput(serializers.Serializer):
    version = serializers.IntegerField()


class EditInput(VersionInput):
    body = serializers.CharField(allow_blank=True, trim_whitespace=False)


class RejectInput(VersionInput):
    reason = serializers.CharField()


class OutgoingOutput(serializers.Serializer):
    id = serializers.IntegerField()
    status = serializers.CharField()
    send_after = serializers.DateTimeField()
    message_id = serializers.CharField()


def _valid(kind: type[serializers.Serializer], request: Request) -> dict:
    given = kind(data=request.data)
    given.is_valid(raise_exception=True)
    return given.validated_data


def _whole(user: User, pk: int) -> Draft:
    return get_object_or_404(drafts_for(user).select_related("email"), pk=pk)


@extend_schema(methods=["PATCH"], request=EditInput, responses=DraftOutput)
@extend_schema(methods=["GET"], responses=DraftOutput)
@api_view(["GET", "PATCH"])
@permission_classes([Agents])
def draft(request: Request, pk: int) -> Response:
    """Read a draft; edit it on top of the version you read (409 when it changed since)."""
    found = _whole(request.user, pk)
    if request.method == "PATCH":
        found = services.save_draft(draft=found, user=request.user, **_valid(EditInput, request))
    return Response(DraftOutput(found).data)


@extend_schema(request=VersionInput, responses=OutgoingOutput)
@api_view(["POST"])
@permission_classes([Agents])
def approve(request: Request, pk: int) -> Response:
    """Send after the undo window."""
    message = sending.approve(draft=_whole(request.user, pk), user=request.user, **_valid(VersionInput, request))
    return Response(OutgoingOutput(message).data)


@extend_schema(request=None, responses=DraftOutput)
@api_view(["POST"])
@permission_classes([Agents])
def undo(request: Request, pk: int) -> Response:
    """Take an approved reply back before it leaves."""
    message = outgoing_for(request.user).filter(draft_id=pk).order_by("-id").first()
    if message is None:
        raise Conflict("This draft was never approved.", code="conflict")
    sending.take_back(message=message, user=request.user)
    return Response(DraftOutput(Draft.objects.get(pk=pk)).data)


@extend_schema(request=RejectInput, responses={204: None})
@api_view(["POST"])
@permission_classes([Agents])
def reject(request: Request, pk: int) -> Response:
    """Throw a draft away, saying why."""
    services.reject_draft(draft=_whole(request.user, pk), user=request.user, **_valid(RejectInput, request))
    return Response(status=204)
