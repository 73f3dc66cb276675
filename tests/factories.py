"""Plain factories: `make_email(subject="…")` and the like, everything else made up."""

from itertools import count

from django.contrib.auth.models import Group
from django.utils import timezone

from classifier.intake.parsed import ParsedEmail
from classifier.intake.services import Intake
from classifier.labels import label_by_model
from classifier.models import Department, Email, ModelVersion, Prediction, ReviewItem, Subtype
from classifier.review.opening import open_if_unsure
from responses.models import Draft
from reviewdesk.people.models import User

_numbers = count(1)


def make_user(*, role: str = "", username: str = "") -> User:
    user = User.objects.create_user(username or f"{role or 'nobody'}{next(_numbers)}")
    if role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


def make_department(slug: str = "it") -> Department:
    """A department with a query, two complaints and a spam subtype."""
    department, created = Department.objects.get_or_create(slug=slug, defaults={"name": slug.upper()})
    if created:
        for name, kind in (
            ("access_query", "query"),
            ("outage_complaint", "complaint"),
            ("bug_complaint", "complaint"),
            ("ad_spam", "spam"),
        ):
            Subtype.objects.create(
                department=department,
                slug=name,
                name=name.replace("_", " ").capitalize(),
                type=kind,
                guideline="When so.",
            )
    return department


def make_parsed(**fields) -> ParsedEmail:
    n = next(_numbers)
    defaults = {
        "sender_name": "Ann Example",
        "sender_address": f"ann{n}@example.com",
        "subject": f"Printer {n}",
        "body": "The printer on the second floor does not answer since this morning.",
        "message_id": f"<{n}@example.com>",
        "received_at": timezone.now(),
        "department": "it",
    }
    return ParsedEmail(**{**defaults, **fields})


def make_email(**fields) -> Email:
    """An email received through the intake, not yet classified."""
    make_department(fields.get("department", "it"))
    (received,) = Intake().receive([make_parsed(**fields)])
    assert received.email is not None, received
    return Email.objects.get(pk=received.email.pk)


def make_version(name: str = "test-model") -> ModelVersion:
    return ModelVersion.objects.get_or_create(version=name)[0]


def make_prediction(
    email: Email, *, subtype: str = "outage_complaint", confidence: float = 0.9, threshold: float = 0.3
) -> Prediction:
    found = Subtype.objects.get(department=email.department, slug=subtype)
    others = [s for s in email.department.subtypes.all() if s != found]
    rest = (1 - confidence) / len(others)
    prediction = Prediction.objects.create(
        email=email,
        department=email.department,
        model_version=make_version(),
        runtime="onnx",
        type=found.type,
        type_confidence=0.9,
        subtype=found,
        subtype_confidence=confidence,
        threshold=threshold,
        withheld=confidence < threshold,
        distribution=sorted([[found.slug, confidence], *([s.slug, rest] for s in others)], key=lambda p: -p[1]),
        latency_ms=5.0,
    )
    label_by_model(email=email, prediction=prediction)
    return prediction


def make_classified(*, confidence: float = 0.9, subtype: str = "outage_complaint", **fields) -> Email:
    email = make_email(**fields)
    make_prediction(email, confidence=confidence, subtype=subtype)
    return email


def make_item(**fields) -> ReviewItem:
    """An open review item of an email the model was unsure of."""
    email = make_email(**fields)
    item = open_if_unsure(email=email, prediction=make_prediction(email, confidence=0.2))
    assert item is not None
    return item


def make_draft(email: Email | None = None, **fields) -> Draft:
    email = email or make_classified()
    defaults = {"status": Draft.Status.READY, "body": "Dear Ann,\n\nIt is fixed. [1]\n\nBye", "backend": "extractive"}
    return Draft.objects.create(email=email, **{**defaults, **fields})
