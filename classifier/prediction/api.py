"""`POST classify`: one text, answered at once; stores no email."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.intake.unreadable import unreadable_kind
from classifier.models import Department
from classifier.prediction.services import classify_text
from classifier.visibility import sees
from reviewdesk.errors import NotAllowed
from reviewdesk.people.access import api_for
from reviewdesk.people.models import ADMIN, AGENT

MAX_CHARACTERS = 1_000_000


class ClassifyInput(serializers.Serializer):
    email = serializers.CharField(allow_blank=True, max_length=MAX_CHARACTERS, trim_whitespace=False)
    department = serializers.SlugRelatedField("slug", queryset=Department.objects.filter(active=True))


class ClassifyOutput(serializers.Serializer):
    type = serializers.CharField()
    type_confidence = serializers.FloatField()
    subtype = serializers.CharField(allow_null=True)
    subtype_confidence = serializers.FloatField()
    needs_review = serializers.BooleanField()
    model_version = serializers.CharField()
    latency_ms = serializers.FloatField()


@extend_schema(request=ClassifyInput, responses=ClassifyOutput)
@api_view(["POST"])
@permission_classes([api_for("classify", AGENT, ADMIN)])
def classify(request: Request) -> Response:
    """Type and subtype of a text. Under the department's threshold the subtype is null."""
    given = ClassifyInput(data=request.data)
    given.is_valid(raise_exception=True)
    if not sees(request.user, given.validated_data["department"].pk):
        raise NotAllowed(f"You may not see the department {given.validated_data['department'].slug}.")
    text = given.validated_data["email"]
    answer = classify_text(department=given.validated_data["department"], subject="", body=text)
    scores = answer.scores
    return Response(
        {
            "type": scores.type,
            "type_confidence": round(scores.type_confidence, 4),
            "subtype": None if answer.withheld else scores.subtype,
            "subtype_confidence": round(scores.subtype_confidence, 4),
            "needs_review": answer.withheld or scores.out_of_scope or bool(unreadable_kind("", text)),
            "model_version": answer.serving.version.version,
            "latency_ms": round(answer.latency_ms, 2),
        }
    )
