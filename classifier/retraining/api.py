"""Exports for programs: ask, poll, download."""

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.models import Export
from classifier.retraining import exports
from classifier.retraining.views import send_export
from reviewdesk.people.access import api_for
from reviewdesk.people.models import ADMIN

Admins = api_for("exports", ADMIN)


class ExportInput(serializers.Serializer):
    format = serializers.ChoiceField(Export.Format.choices)


class ExportOutput(serializers.Serializer):
    id = serializers.IntegerField()
    format = serializers.CharField()
    status = serializers.CharField()
    snapshot_id = serializers.CharField()
    rows = serializers.IntegerField()
    total = serializers.IntegerField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    error = serializers.CharField()


@extend_schema(request=ExportInput, responses={202: ExportOutput})
@api_view(["POST"])
@permission_classes([Admins])
def export_list(request: Request) -> Response:
    """Ask for an export of all labels; poll it until its status is done."""
    given = ExportInput(data=request.data)
    given.is_valid(raise_exception=True)
    export = exports.request_export(format=given.validated_data["format"], by=request.user)
    export.refresh_from_db()
    return Response(ExportOutput(export).data, status=202)


@extend_schema(responses=ExportOutput)
@api_view(["GET"])
@permission_classes([Admins])
def export(request: Request, pk: int) -> Response:
    return Response(ExportOutput(get_object_or_404(Export, pk=pk)).data)


@extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
@api_view(["GET"])
@permission_classes([Admins])
def download(request: Request, pk: int) -> HttpResponseBase:
    """The file, once it is done; takes `Range`."""
    return send_export(request, get_object_or_404(Export, pk=pk))
