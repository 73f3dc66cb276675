"""`models`: list, show, promote, roll back, archive."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.registry import promotion, queries, services
from reviewdesk.people.access import api_for
from reviewdesk.people.models import ADMIN


class ReasonInput(serializers.Serializer):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


class PromoteInput(serializers.Serializer):
    reason = serializers.CharField(max_length=300, help_text="Kept in the ledger.")
    force = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Also where it was not evaluated, is worse, lacks a department, or a test is running.",
    )


class RollBackInput(ReasonInput):
    serving = serializers.CharField(
        required=False, allow_blank=True, max_length=80, help_text="Refuse unless this version serves."
    )


class ModelOutput(serializers.Serializer):
    version = serializers.CharField()
    state = serializers.CharField()
    trained_at = serializers.CharField()
    training_size = serializers.IntegerField(allow_null=True)
    encoder = serializers.CharField()
    precision = serializers.CharField()
    subtype_accuracy = serializers.FloatField(allow_null=True)
    type_accuracy = serializers.FloatField(allow_null=True)
    notes = serializers.CharField()


class ModelsOutput(serializers.Serializer):
    production = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    models = ModelOutput(many=True)
    ledger = serializers.ListField(child=serializers.DictField())


@extend_schema(responses=ModelsOutput)
@api_view(["GET"])
@permission_classes([api_for("models", ADMIN)])
def models(request: Request) -> Response:
    """All versions, the aliases, and the ledger of what was live when."""
    aliases = {name: version.version for name, version in queries.aliases().items()}
    return Response(
        {
            "production": aliases.get(queries.PRODUCTION),
            "previous": aliases.get(queries.PREVIOUS),
            "models": [queries.version_row(v) for v in queries.versions()],
            "ledger": queries.ledger(),
        }
    )


@extend_schema(responses=ModelOutput)
@api_view(["GET"])
@permission_classes([api_for("models", ADMIN)])
def model(request: Request, version: str) -> Response:
    """One version with its manifest and latest report."""
    found = queries.find_version(version)
    return Response(queries.version_row(found) | {"manifest": found.manifest, "metrics": found.metrics})


@extend_schema(request=PromoteInput, responses=ModelOutput)
@api_view(["POST"])
@permission_classes([api_for("models", ADMIN)])
def promote(request: Request, version: str) -> Response:
    """Let a version serve; in effect in every process within five seconds.

    Refused with the code `promotion_refused` and the problems under `fields.force`, unless `force` is true.
    """
    found = queries.find_version(version)
    given = PromoteInput(data=request.data)
    given.is_valid(raise_exception=True)
    promotion.promote_by_person(version=found, by=request.user, **given.validated_data)
    return Response(queries.version_row(found))


@extend_schema(request=RollBackInput, responses=ModelOutput)
@api_view(["POST"])
@permission_classes([api_for("models", ADMIN)])
def roll_back(request: Request) -> Response:
    """Let the previous production version serve again."""
    given = RollBackInput(data=request.data)
    given.is_valid(raise_exception=True)
    return Response(queries.version_row(services.roll_back(by=request.user, **given.validated_data)))


@extend_schema(request=None, responses=ModelOutput)
@api_view(["POST"])
@permission_classes([api_for("models", ADMIN)])
def archive(request: Request, version: str) -> Response:
    """Put a version aside; not the one in production."""
    found = queries.find_version(version)
    services.archive(version=found, by=request.user)
    return Response(queries.version_row(found))
