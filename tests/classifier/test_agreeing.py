"""A second person's answer: drawn, blind, compared, decided."""

import pytest

from classifier.accuracy.queries import week_of
from classifier.accuracy.sampling import draw_weekly_sample
from classifier.models import Disagreement, Email, ReviewItem, Source, Verification
from classifier.review import leases
from classifier.review.agreeing import adjudicate
from classifier.review.agreement import report
from classifier.review.opening import flag
from classifier.review.progress import progress
from classifier.review.services import correct, undo, verify
from reviewdesk.errors import Conflict
from tests.classifier.test_queues import change
from tests.classifier.test_review import answer
from tests.factories import make_item, make_user


@pytest.fixture
def second(db):
    return make_user(role="reviewer")


@pytest.fixture
def overlapped(admin):
    """An item whose answer a second reviewer checks."""
    change(admin, overlap_share=1.0)
    return make_item()


def give(user, **fields) -> Verification:
    item = leases.claim_next(user=user)
    assert item is not None
    return verify(item=item, user=user, answer=answer(item, **fields))


def test_a_second_reviewer_answers_blind_and_the_first_is_not_asked_again(overlapped, reviewer, second):
    give(reviewer)
    assert leases.claim_next(user=reviewer) is None
    item = leases.claim_next(user=second)
    assert (item.source, item.blind, item.independent) == ("overlap", True, True)
    verify(item=item, user=second, answer=answer(item))
    assert not Disagreement.objects.exists()
    assert not ReviewItem.objects.filter(status="open").exists(), "a second answer draws no third"


def test_the_share_is_about_what_was_set(admin, reviewer):
    change(admin, overlap_share=0.3)
    for _ in range(100):
        make_item()
    for _ in range(100):
        give(reviewer)
    assert 15 <= ReviewItem.objects.filter(source=Source.OVERLAP).count() <= 45


def test_answers_that_differ_leave_the_first_in_force_until_somebody_decides(overlapped, reviewer, second, admin):
    give(reviewer)
    give(second, type="query", subtype="access_query")
    assert Email.objects.get().subtype.slug == "bug_complaint"
    disagreement = Disagreement.objects.get()
    decided = adjudicate(disagreement=disagreement, user=admin, type="query", subtype="access_query", reason="asks")
    email = Email.objects.get()
    assert (email.subtype.slug, email.verification, decided.source) == ("access_query", decided, "adjudication")
    with pytest.raises(Conflict, match="decided this already"):
        adjudicate(disagreement=disagreement, user=second, type="query", subtype="access_query")


def test_an_undo_that_ends_the_difference_ends_the_disagreement(overlapped, reviewer, second):
    give(reviewer)
    give(second, type="query", subtype="access_query")
    assert Disagreement.objects.exists()
    item = undo(user=second)
    assert not Disagreement.objects.exists()
    verify(item=item, user=second, answer=answer(item))
    assert not Disagreement.objects.exists() and Email.objects.get().subtype.slug == "bug_complaint"


def test_the_first_answer_undone_and_given_again_is_compared_again(overlapped, reviewer, second):
    give(reviewer)
    give(second, type="query", subtype="access_query")
    item = undo(user=reviewer)
    assert Email.objects.get().subtype.slug == "access_query", "the other answer is the one that is left"
    verify(item=item, user=reviewer, answer=answer(item, type="query", subtype="access_query"))
    assert not Disagreement.objects.exists()
    assert ReviewItem.objects.filter(source=Source.OVERLAP).count() == 1


def test_three_answers_of_which_one_differs(admin):
    change(admin, reviews=3)
    make_item()
    people = [make_user(role="reviewer") for _ in range(3)]
    give(people[0])
    give(people[1])
    assert not Disagreement.objects.exists()
    give(people[2], type="query", subtype="access_query")
    assert Disagreement.objects.count() == 1 and Email.objects.get().subtype.slug == "bug_complaint"


def test_an_agents_correction_settles_it(overlapped, reviewer, second, agent):
    give(reviewer)
    give(second, type="query", subtype="access_query")
    correct(email=Email.objects.get(), user=agent, type="", subtype="outage_complaint")
    assert not Disagreement.objects.filter(settled_by=None).exists()
    assert Email.objects.get().subtype.slug == "outage_complaint"


def test_a_flagged_email_with_several_seats_is_answered_once_by_an_admin(admin, reviewer):
    change(admin, reviews=3)
    item = make_item()
    flag(email=item.email, reason="odd")
    assert leases.claim_next(user=reviewer) is None
    give(admin)
    assert not ReviewItem.objects.filter(status="open").exists()
    assert Verification.objects.count() == 1


def test_the_accuracy_figure_counts_the_decision_and_before_it_the_first_answer(admin, reviewer, second):
    change(admin, Source.WEEKLY, reviews=2, departments=[])
    make_item()
    ReviewItem.objects.all().delete()
    draw = draw_weekly_sample(size=1)
    give(reviewer, subtype="outage_complaint")
    give(second, subtype="bug_complaint")
    assert week_of([draw]).subtype.value == 1, "the model said outage_complaint, and so did the first"
    adjudicate(disagreement=Disagreement.objects.get(), user=admin, type="", subtype="bug_complaint")
    assert week_of([draw]).subtype.value == 0


def test_the_pages_show_agreement_disagreements_and_progress(client, overlapped, reviewer, second, admin):
    give(reviewer, seconds=12.0)
    give(second, type="query", subtype="access_query", reason="asks for it", seconds=8.0)
    client.force_login(admin)
    report = client.get("/review/agreement/").content.decode()
    assert "n = 1 pairs" in report and "Access query · Bug complaint" in report
    page = client.get("/review/disagreements/").content.decode()
    assert "1 to decide" in page and "asks for it" in page and page.count("This one") == 2
    pk = Disagreement.objects.get().pk
    client.post(f"/review/disagreements/{pk}/", {"subtype": "access_query", "reason": "it asks"})
    assert Email.objects.get().subtype.slug == "access_query"
    assert "Nobody disagrees" in client.get("/review/disagreements/").content.decode()
    client.force_login(reviewer)
    progress = client.get("/review/progress/").content.decode()
    assert reviewer.username in progress and "Low confidence" in progress and "<td>12</td>" in progress


def test_a_decision_is_undone(client, overlapped, reviewer, second, admin):
    give(reviewer)
    give(second, type="query", subtype="access_query")
    client.force_login(admin)
    page = client.get("/review/disagreements/").content.decode()
    assert '<option value="">choose a label…</option>' in page
    found = Disagreement.objects.get()
    assert client.post(f"/review/disagreements/{found.pk}/", {"subtype": "", "reason": "x"}).status_code == 400
    client.post(f"/review/disagreements/{found.pk}/", {"subtype": "access_query", "reason": "it asks"})
    client.post(f"/review/disagreements/{found.pk}/undo/")
    found.refresh_from_db()
    assert found.settled_by is None and Email.objects.get().subtype.slug == "bug_complaint", "the first answer again"
    assert client.post(f"/review/disagreements/{found.pk}/undo/").status_code == 409
    client.post(f"/review/disagreements/{found.pk}/", {"subtype": "outage_complaint", "reason": "another"})
    assert Email.objects.get().subtype.slug == "outage_complaint"


def test_agreement_counts_pairs_by_department_label_and_people(admin, reviewer, second):
    change(admin, overlap_share=1.0)
    for n in range(10):
        make_item()
    for n in range(10):
        give(reviewer)
    for n in range(10):
        give(second, **({"type": "query", "subtype": "access_query"} if n < 2 else {}))
    found = report()
    assert (found.overall.n, found.overall.agreed) == (10, 8)
    assert [name for name, _ in found.departments] == ["IT"]
    assert found.people[0][0] == " and ".join(sorted([reviewer.username, second.username]))
    assert found.confusions[0].n == 2
    assert {name for name, _ in found.labels} == {"Access query, IT", "Bug complaint, IT"}


def test_hours_to_empty_come_from_the_median_time(reviewer):
    for _ in range(4):
        make_item()
    for seconds in (10.0, 20.0, 90.0):
        give(reviewer, seconds=seconds)
    (load,) = progress(reviewer).loads
    assert (load.open, load.seconds, load.measured) == (1, 20.0, True)
    assert load.hours == pytest.approx(20 / 3600)
