"""The review queue for programs: claim, renew, give back, answer, undo."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.models import EmailType, ReviewItem, WithoutSubtype
from classifier.review import leases, services
from classifier.review.queries import queue_state, undoable
from classifier.visibility import visible
from reviewdesk.errors import Conflict
from reviewdesk.people.access import api_for
from reviewdesk.people.models import REVIEWER, User

Reviewers = api_for("review", REVIEWER)


class ItemOutput(serializers.Serializer):
    id = serializers.IntegerField()
    email = serializers.IntegerField(source="email_id")
    department = serializers.CharField(source="email.department.slug")
    subject = serializers.CharField(source="email.subject")
    body = serializers.CharField(source="email.body")
    source = serializers.CharField()
    reason = serializers.CharField()
    blind = serializers.BooleanField()
    type = serializers.CharField(source="email.prediction.type", allow_null=True)
    type_confidence = serializers.FloatField(source="email.prediction.type_confidence", allow_null=True)
    subtype = serializers.CharField(source="email.prediction.subtype.slug", default=None)
    subtype_confidence = serializers.FloatField(source="email.prediction.subtype_confidence", allow_null=True)
    withheld = serializers.BooleanField(source="email.prediction.withheld", allow_null=True)
    top = serializers.SerializerMethodField()
    choices = serializers.SerializerMethodField()

    def get_choices(self, item: ReviewItem) -> list:
        """The labels an answer may give: {type, subtype, name}."""
        subtypes = item.email.department.subtypes.filter(active=True).order_by("type", "name")
        return [{"type": s.type, "subtype": s.slug, "name": s.name} for s in subtypes]

    def get_top(self, item: ReviewItem) -> list:
        return item.email.prediction.distribution[:3]

    def to_representation(self, item: ReviewItem) -> dict:
        """What the model said is null where the reviewer must not see it."""
        shown = super().to_representation(item)
        hidden = ("type", "type_confidence", "subtype", "subtype_confidence", "withheld", "top")
        return shown | dict.fromkeys(hidden) if item.blind else shown


class ClaimedOutput(ItemOutput):
    lease = serializers.CharField()
    lease_until = serializers.DateTimeField()


class NextOutput(serializers.Serializer):
    item = ClaimedOutput(allow_null=True)
    held_by_others = serializers.IntegerField(required=False)
    next_free_at = serializers.DateTimeField(required=False, allow_null=True)


class LeaseInput(serializers.Serializer):
    lease = serializers.CharField()


class LeaseOutput(serializers.Serializer):
    lease_until = serializers.DateTimeField()


class VerificationInput(LeaseInput):
    idempotency_key = serializers.CharField(max_length=64)
    action = serializers.ChoiceField(["confirm", "skip", "flag"])
    type = serializers.ChoiceField(EmailType.choices, required=False, default="", allow_blank=True)
    subtype = serializers.CharField(required=False, default="", allow_blank=True)
    second_subtype = serializers.CharField(required=False, default="", allow_blank=True)
    without_subtype = serializers.ChoiceField(
        WithoutSubtype.choices,
        required=False,
        default="",
        allow_blank=True,
        help_text="With a type and no subtype: none of the subtypes fits, or only the type can be told.",
    )
    seconds = serializers.FloatField(required=False, default=None, allow_null=True)
    reason = serializers.CharField(required=False, default="", allow_blank=True)


class VerificationOutput(serializers.Serializer):
    id = serializers.IntegerField()
    action = serializers.CharField()
    type = serializers.CharField()
    subtype = serializers.CharField(source="subtype.slug", default=None)
    without_subtype = serializers.CharField()
    saved_at = serializers.DateTimeField(source="created_at")


def _whole(pk: int, user: User) -> ReviewItem:
    items = visible(ReviewItem.objects.all(), user, "email__department")
    return get_object_or_404(
        items.select_related("email__department", "email__prediction__subtype", "prediction"), pk=pk
    )


@extend_schema(methods=["GET"], responses=ItemOutput)
@extend_schema(methods=["POST"], request=None, responses=NextOutput)
@api_view(["GET", "POST"])
@permission_classes([Reviewers])
def next_item(request: Request) -> Response:
    """POST claims the next item, or returns the one you hold; GET only peeks."""
    if request.method == "GET":
        peek = leases.held_by(request.user) or leases.workable(request.user).first()
        return Response({"item": ItemOutput(_whole(peek.pk, request.user)).data if peek else None})
    item = leases.claim_next(user=request.user)
    if item is not None:
        return Response({"item": ClaimedOutput(_whole(item.pk, request.user)).data})
    state = queue_state(user=request.user)
    return Response({"item": None, "held_by_others": state.held_by_others, "next_free_at": state.next_free_at})


@extend_schema(request=LeaseInput, responses=LeaseOutput)
@api_view(["POST"])
@permission_classes([Reviewers])
def heartbeat(request: Request, pk: int) -> Response:
    """Prolong your hold."""
    given = LeaseInput(data=request.data)
    given.is_valid(raise_exception=True)
    until = leases.heartbeat(item=_whole(pk, request.user), user=request.user, lease=given.validated_data["lease"])
    return Response({"lease_until": until})


@extend_schema(request=LeaseInput, responses={204: None})
@api_view(["POST"])
@permission_classes([Reviewers])
def release(request: Request, pk: int) -> Response:
    """Give the item back."""
    given = LeaseInput(data=request.data)
    given.is_valid(raise_exception=True)
    leases.release(item=_whole(pk, request.user), user=request.user, lease=given.validated_data["lease"])
    return Response(status=204)


@extend_schema(request=VerificationInput, responses=VerificationOutput)
@api_view(["POST"])
@permission_classes([Reviewers])
def verification(request: Request, pk: int) -> Response:
    """Answer the item you hold. The same idempotency_key twice is one answer."""
    given = VerificationInput(data=request.data)
    given.is_valid(raise_exception=True)
    answer = services.Answer(**given.validated_data)
    return Response(
        VerificationOutput(services.verify(item=_whole(pk, request.user), user=request.user, answer=answer)).data
    )


@extend_schema(request=None, responses=ClaimedOutput)
@api_view(["POST"])
@permission_classes([Reviewers])
def undo_item(request: Request, pk: int) -> Response:
    """Take back your answer to this item, one of your last 20 of the day; the item is yours again."""
    given = next((v for v in undoable(user=request.user) if v.item_id == pk), None)
    if given is None:
        raise Conflict("You have no answer to this item among your last 20 of the last day.", code="conflict")
    return Response(ClaimedOutput(_whole(services.undo(user=request.user, answer=given.pk).pk, request.user)).data)
