"""`POST emails`, one or a list, and `GET emails/{id}`."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.intake.parsed import ParsedEmail
from classifier.intake.readers import row_email
from classifier.intake.services import BATCH, Intake, Received
from classifier.models import Email
from classifier.visibility import visible
from reviewdesk.errors import DeskError
from reviewdesk.people.access import api_for
from reviewdesk.people.models import ADMIN, AGENT

MAX_LIST = 500


class EmailInput(serializers.Serializer):
    department = serializers.CharField()
    to = serializers.CharField(required=False, allow_blank=True)
    subject = serializers.CharField(required=False, allow_blank=True)
    body = serializers.CharField(required=False, allow_blank=True)
    message_id = serializers.CharField(required=False, allow_blank=True)
    in_reply_to = serializers.CharField(required=False, allow_blank=True)
    received_at = serializers.DateTimeField(required=False)
    external_id = serializers.CharField(required=False, allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": serializers.CharField(required=False, allow_blank=True), **super().get_fields()}


class ReceivedOutput(serializers.Serializer):
    index = serializers.IntegerField()
    id = serializers.IntegerField(allow_null=True)
    status = serializers.ChoiceField(["new", "duplicate", "rejected"])
    errors = serializers.DictField()


class ResultsOutput(serializers.Serializer):
    results = ReceivedOutput(many=True)


class EmailOutput(serializers.Serializer):
    id = serializers.IntegerField()
    message_id = serializers.CharField()
    external_id = serializers.CharField()
    thread = serializers.IntegerField(source="thread_id")
    department = serializers.CharField(source="department.slug")
    subject = serializers.CharField()
    received_at = serializers.DateTimeField()
    automatic = serializers.CharField()
    unreadable = serializers.CharField()
    status = serializers.CharField(source="thread.status")
    type = serializers.CharField()
    subtype = serializers.CharField(source="subtype.slug", default=None)
    confidence = serializers.FloatField(allow_null=True)
    classified = serializers.SerializerMethodField()
    verified = serializers.SerializerMethodField()
    model_version = serializers.CharField(source="prediction.model_version.version", default=None)

    def get_classified(self, email: Email) -> bool:
        return email.prediction_id is not None

    def get_verified(self, email: Email) -> bool:
        return email.verification_id is not None


_ONE_OR_MANY = PolymorphicProxySerializer(
    component_name="EmailOrList", serializers=[EmailInput, EmailInput(many=True)], resource_type_field_name=None
)


@extend_schema(request=_ONE_OR_MANY, responses={202: ResultsOutput})
@api_view(["POST"])
@permission_classes([api_for("emails", AGENT, ADMIN)])
def emails(request: Request) -> Response:
    """Take emails in. Each is stored or refused on its own; an empty answer never loses one."""
    given = request.data if isinstance(request.data, list) else [request.data]
    if not 0 < len(given) <= MAX_LIST:
        raise DeskError(f"the list has {len(given)} emails; allowed: 1 to {MAX_LIST}")
    rows = [_parse(row) for row in given]
    parsed = [row for row in rows if isinstance(row, ParsedEmail)]
    intake = Intake(user=request.user)
    received = [r for start in range(0, len(parsed), BATCH) for r in intake.receive(parsed[start : start + BATCH])]
    stored = iter(received)
    results = [_result(i, next(stored) if isinstance(row, ParsedEmail) else row) for i, row in enumerate(rows)]
    return Response({"results": results}, status=202)


def _parse(row: Any) -> ParsedEmail | dict[str, Any]:
    """The email, or the errors by field."""
    if not isinstance(row, dict):
        return {"email": ["is not an object"]}
    checked = EmailInput(data=row)
    if not checked.is_valid():
        return checked.errors
    try:
        return row_email({k: str(row[k]) for k in map(str, checked.fields) if row.get(k) is not None})
    except ValueError as error:
        field, reason = error.args
        return {field: [reason]}


def _result(index: int, outcome: Received | dict[str, Any]) -> dict[str, Any]:
    if isinstance(outcome, Received):
        if outcome.email is not None:
            return {"index": index, "id": outcome.email.pk, "status": outcome.status, "errors": {}}
        field, reason = outcome.error
        outcome = {field or "email": [reason]}
    return {"index": index, "id": None, "status": "rejected", "errors": outcome}


@extend_schema(responses=EmailOutput)
@api_view(["GET"])
@permission_classes([api_for("emails", AGENT, ADMIN)])
def email(request: Request, pk: int) -> Response:
    """One email with the label in force; `type` is empty until it is classified."""
    found = get_object_or_404(
        visible(Email.objects.all(), request.user).select_related(
            "department", "thread", "subtype", "prediction__model_version"
        ),
        pk=pk,
    )
    return Response(EmailOutput(found).data)
