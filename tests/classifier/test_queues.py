"""The queues' settings: who may work them, in what order, held for how long, answered by how many."""

from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.models import ReviewItem, Source, Verification
from classifier.review import leases
from classifier.review.opening import flag, open_if_unsure
from classifier.review.queues import change_queue, open_counts, preview, queue_of, queues, set_threshold
from classifier.review.services import verify
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import Conflict, DeskError
from tests.classifier.test_review import answer
from tests.factories import make_department, make_email, make_item, make_prediction, make_user


def change(admin, source=Source.LOW_CONFIDENCE, **fields):
    given = {"departments": [], "people": [], **fields}
    return change_queue(source=source, by=admin, **given)


def emptied(user) -> list[ReviewItem]:
    """The items in the order in which one reviewer is handed them."""
    found = []
    while item := leases.claim_next(user=user):
        found.append(item)
        ReviewItem.objects.filter(pk=item.pk).update(status="done", holder=None, lease_until=None)
    return found


def test_without_a_row_a_queue_works_by_the_defaults(db):
    assert [q.source for q in queues()][:2] == ["flagged", "low_confidence"]
    assert queue_of(Source.WEEKLY).blind and not queue_of(Source.LOW_CONFIDENCE).blind


def test_three_people_answer_each_email_and_nobody_twice(admin):
    change(admin, reviews=3)
    make_item()
    people = [make_user(role="reviewer") for _ in range(4)]
    for person in people[:3]:
        item = leases.claim_next(user=person)
        verify(item=item, user=person, answer=answer(item))
        assert leases.claim_next(user=person) is None
    assert leases.claim_next(user=people[3]) is None
    assert Verification.objects.count() == 3 and not ReviewItem.objects.filter(status="open").exists()


def test_three_seats_are_held_by_three_people_at_once(admin):
    change(admin, reviews=2)
    make_item()
    one, two, three = (make_user(role="reviewer") for _ in range(3))
    assert leases.claim_next(user=one) and leases.claim_next(user=two)
    assert leases.claim_next(user=three) is None


def test_a_second_answer_of_one_person_is_refused_even_with_a_lease(admin, reviewer):
    change(admin, reviews=2)
    make_item()
    first = leases.claim_next(user=reviewer)
    verify(item=first, user=reviewer, answer=answer(first))
    other = ReviewItem.objects.get(status="open")
    assert not leases.claim(item=other, user=reviewer)
    ReviewItem.objects.filter(pk=other.pk).update(
        holder=reviewer, lease="x", lease_until=timezone.now() + timedelta(minutes=1)
    )
    with pytest.raises(Conflict, match="answered this email already"):
        verify(item=other, user=reviewer, answer=answer(other))
    assert Verification.objects.count() == 1


def test_only_those_named_work_a_queue(admin, reviewer):
    change(admin, people=[admin])
    item = make_item()
    assert leases.claim_next(user=reviewer) is None
    assert leases.claim_next(user=admin) == item


def test_only_the_departments_named_are_handed_out(admin, reviewer):
    retail = make_department("retail")
    make_item()
    change(admin, departments=[retail])
    assert leases.claim_next(user=reviewer) is None
    item = make_item(department="retail")
    assert leases.claim_next(user=reviewer) == item


def test_a_paused_queue_hands_out_nothing(admin, reviewer):
    make_item()
    change(admin, active=False)
    assert leases.claim_next(user=reviewer) is None
    change(admin, active=True)
    assert leases.claim_next(user=reviewer) is not None


def test_flagged_emails_go_to_those_named_for_them(admin, reviewer):
    item = make_item()
    flag(email=item.email, reason="threat")
    assert leases.claim_next(user=reviewer) is None
    change(admin, Source.FLAGGED, people=[reviewer])
    assert leases.claim_next(user=reviewer) == item
    assert open_counts(admin) == {"flagged": 1}


def test_the_lease_is_the_queues(admin, reviewer):
    change(admin, lease_minutes=30)
    make_item()
    item = leases.claim_next(user=reviewer)
    assert item.lease_until - timezone.now() > timedelta(minutes=29)


def unsure(confidence: float, **fields) -> ReviewItem:
    email = make_email(**fields)
    return open_if_unsure(email=email, prediction=make_prediction(email, confidence=confidence, threshold=0.9))


def test_the_least_sure_comes_first_and_near_copies_are_apart(db, reviewer):
    body = "Your parcel {} was not delivered to my address in the old town although it was promised for Monday."
    copies = [unsure(0.30, subject="Parcel", body=body.format(n)) for n in range(4)]
    others = [unsure(0.32 + n / 50, body=f"Different words each time: {'xyzab'[n]}{n} matter {n}.") for n in range(4)]
    order = emptied(reviewer)
    assert order[0] == copies[0] and set(order) == {*copies, *others}
    places = sorted(order.index(c) for c in copies)
    assert all(b - a > 1 for a, b in zip(places, places[1:], strict=False)), f"copies in a row: {places}"


def test_order_and_priority_hold_for_what_is_open_already(admin, reviewer):
    sure, least = unsure(0.5), unsure(0.3)
    change(admin, order="oldest")
    assert emptied(reviewer) == [sure, least]
    first = make_item()
    second = flag(email=make_classified_email(), reason="x")
    change(admin, Source.FLAGGED, priority=1, people=[reviewer], order="oldest")
    assert emptied(reviewer) == [first, second]


def make_classified_email():
    email = make_email()
    make_prediction(email)
    return email


def test_random_order_follows_the_lottery(admin, reviewer):
    items = [make_item() for _ in range(6)]
    change(admin, order="random")
    expected = sorted(ReviewItem.objects.all(), key=lambda i: i.lottery)
    assert emptied(reviewer) == expected and set(expected) == set(items)


@pytest.mark.parametrize(
    "fields",
    [{"reviews": 4}, {"reviews": 0}, {"priority": 10}, {"lease_minutes": 0}, {"overlap_share": 1.5}, {"order": "x"}],
)
def test_settings_out_of_range_are_named_and_change_nothing(admin, fields):
    with pytest.raises(DeskError) as error:
        change(admin, **fields)
    assert set(error.value.fields) == set(fields)
    assert not AuditEvent.objects.exists() and queue_of(Source.LOW_CONFIDENCE).pk is None


def test_a_change_is_on_record(admin):
    change(admin, reviews=2)
    event = AuditEvent.objects.get()
    assert (event.action, event.detail["changed"]) == ("change queue", {"reviews": [1, 2]})


def test_the_preview_counts_what_a_threshold_would_send_to_review(admin):
    for confidence in (0.2, 0.4, 0.6, 0.8):
        make_prediction(make_email(), confidence=confidence)
    department = make_department()
    assert [(preview(department=department, threshold=t).under) for t in (0.1, 0.3, 0.5, 1.0)] == [0, 1, 2, 4]
    set_threshold(department=department, threshold=0.5, by=admin)
    department.refresh_from_db()
    assert department.review_threshold == 0.5
    with pytest.raises(DeskError, match="allowed: 0 to 1"):
        set_threshold(department=department, threshold=1.5, by=admin)


def test_a_blind_item_hides_what_the_model_said(client, admin, reviewer):
    change(admin, blind=True)
    make_item()
    client.force_login(reviewer)
    client.post("/review/next/")
    page = client.get("/review/").content.decode()
    assert "What the model says" not in page and "checked" not in page.split("<fieldset")[1]
    item = ReviewItem.objects.get()
    assert item.blind
    verification = verify(item=item, user=reviewer, answer=answer(item))
    assert verification.blind


def test_an_admin_releases_an_item_and_the_holders_answer_is_refused(admin, reviewer):
    make_item()
    item = leases.claim_next(user=reviewer)
    sent = answer(item)
    leases.release_for(item=item, by=admin)
    with pytest.raises(Conflict) as error:
        verify(item=item, user=reviewer, answer=sent)
    assert error.value.code == "lease_expired"
    with pytest.raises(Conflict, match="Nobody holds"):
        leases.release_for(item=item, by=admin)


def test_the_page_changes_a_queue_and_a_threshold(client, admin, reviewer):
    client.force_login(admin)
    make_item()
    page = client.get("/settings/queues/").content.decode()
    assert "Low confidence" in page and "1 open" in page
    fields = {"priority": 7, "order": "oldest", "reviews": 2, "overlap_share": 0.2, "active": "on", "blind": "on"}
    client.post("/settings/queues/low_confidence/", {**fields, "people": [reviewer.pk], "lease_minutes": ""})
    queue = queue_of(Source.LOW_CONFIDENCE)
    assert (queue.priority, queue.reviews, queue.blind, queue.lease_minutes) == (7, 2, True, None)
    assert list(queue.people.all()) == [reviewer]
    department = make_department()
    shown = client.get(f"/settings/thresholds/{department.pk}/preview/", {"threshold": "0.5"}).content.decode()
    assert "1 of 1" in shown
    client.post(f"/settings/thresholds/{department.pk}/", {"threshold": "0.4"})
    department.refresh_from_db()
    assert department.review_threshold == 0.4


def test_examples_are_those_written_and_those_that_people_labelled(client, reviewer):
    item = make_item(subject="Broken", body="It broke.")
    subtype = item.email.department.subtypes.get(slug="bug_complaint")
    subtype.examples = "One.\n---\nTwo."
    subtype.save()
    held = leases.claim_next(user=reviewer)
    verify(item=held, user=reviewer, answer=answer(held))
    client.force_login(reviewer)
    shown = client.get(f"/review/subtypes/{subtype.pk}/examples/").content.decode()
    assert all(text in shown for text in ("One.", "Two.", "Broken. It broke"))
    assert (
        "Broken" not in client.get(f"/review/subtypes/{subtype.pk}/examples/?without={item.email_id}").content.decode()
    )


def test_an_older_answer_is_taken_back_from_the_history(client, reviewer):
    first, second = make_item(subject="First one"), make_item(subject="Second one")
    for _ in range(2):
        held = leases.claim_next(user=reviewer)
        verify(item=held, user=reviewer, answer=answer(held))
    client.force_login(reviewer)
    history = client.get("/review/history/").content.decode()
    assert history.index("Second one") < history.index("First one")
    older = Verification.objects.get(item=first)
    client.post("/review/undo/", {"answer": older.pk})
    first.refresh_from_db(), second.refresh_from_db()
    assert (first.status, first.holder, second.status) == ("open", reviewer, "done")
