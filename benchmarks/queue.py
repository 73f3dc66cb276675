"""How the time to the next review item grows with the queue."""

from statistics import median
from time import perf_counter

from classifier.models import Email, ReviewItem
from classifier.prediction.services import classify_text, store_prediction
from classifier.review import leases
from classifier.review.opening import open_if_unsure
from reviewdesk.people.models import REVIEWER, User

SIZES = (100, 400, 1_600)


def run() -> list[tuple[str, str]]:
    from django.contrib.auth.models import Group

    user = User.objects.create(username="bench")
    user.groups.add(Group.objects.get(name=REVIEWER))
    emails = iter(Email.objects.filter(prediction__isnull=True).select_related("department"))
    rows, first = [], 0.0
    for size in SIZES:
        while ReviewItem.objects.filter(status="open").count() < size:
            email = next(emails)
            answer = classify_text(department=email.department, subject=email.subject, body=email.body)
            prediction = store_prediction(email=email, answer=answer)
            prediction.withheld = True
            open_if_unsure(email=email, prediction=prediction)
        ms = median(_claim(user) for _ in range(50))
        first = first or ms
        rows.append((f"{size:,} open: ms a claim", f"{ms:.2f}  ({ms / first:.2f} x the first)"))
    return rows


def _claim(user: User) -> float:
    start = perf_counter()
    item = leases.claim_next(user=user)
    took = (perf_counter() - start) * 1000
    assert item is not None
    leases.release(item=item, user=user, lease=item.lease)
    return took
