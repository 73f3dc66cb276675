"""Labels that may be wrong: what people said against what the model said before they did.

The probabilities are those of the prediction that was in force when the person answered, which no training had seen.
"""

from classifier.labels import confirmed
from classifier.models import Email, ReviewItem, Source, Verification
from classifier.review.opening import open_seat
from classifier.review.queues import queue_of
from ml.suspects import doubted

MOST_READ = 20_000
MOST_OPENED = 50
REASON = "its label may be wrong; look at it as if for the first time"


def open_second_looks() -> int:
    """Let somebody else look again at suspected labels, the most suspect first; returns how many."""
    looked_at = ReviewItem.objects.filter(source=Source.SECOND_LOOK).values("email")
    in_force = Email.objects.filter(verification__isnull=False).exclude(pk__in=looked_at).values("verification")
    answers = confirmed(Verification.objects.filter(pk__in=in_force, prediction__isnull=False, subtype__isnull=False))
    answers = answers.exclude(source=Source.ADJUDICATION).select_related("subtype__department", "prediction", "email")
    rows = [a for a in answers.order_by("-pk")[:MOST_READ] if _here(a)]
    said = [((a.subtype.department.slug, a.subtype.slug), a.prediction.distribution) for a in rows]  # type: ignore[union-attr]
    found = [rows[i] for i in doubted(said)]
    return sum(_open(answer) for answer in found[:MOST_OPENED])


def _here(answer: Verification) -> bool:
    """Whether email, label and prediction are of one department: the email may have moved."""
    assert answer.prediction is not None and answer.subtype is not None
    return answer.prediction.department_id == answer.subtype.department_id == answer.email.department_id


def _open(answer: Verification) -> bool:
    email = answer.email
    if email.prediction is None or email.review_items.filter(status=ReviewItem.Status.OPEN).exists():
        return False
    open_seat(email, email.prediction, queue_of(Source.SECOND_LOOK), REASON, independent=True)
    return True
