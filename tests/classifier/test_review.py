"""The queue: one holder at a time, each answer once, undo as a new row."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from classifier.accuracy.queries import week_of
from classifier.accuracy.sampling import draw_weekly_sample
from classifier.labels import confirmed, label_by_person
from classifier.models import Department, Email, ReviewItem, Source, Verification
from classifier.retraining.rows import label_rows, latest_snapshot
from classifier.review import leases
from classifier.review.opening import flag
from classifier.review.services import Answer, correct, move, move_email, undo, verify
from reviewdesk.errors import Conflict, DeskError
from tests.factories import make_classified, make_department, make_email, make_item, make_prediction, make_user


def answer(item: ReviewItem, **fields) -> Answer:
    item.refresh_from_db()
    defaults = {"action": "confirm", "type": "complaint", "subtype": "bug_complaint", "seconds": 4.0}
    return Answer(lease=item.lease, idempotency_key=uuid4().hex, **{**defaults, **fields})


def held(user) -> ReviewItem:
    make_item()
    item = leases.claim_next(user=user)
    assert item is not None
    return item


def test_an_item_is_held_by_one_and_given_back_to_its_holder(reviewer):
    item = held(reviewer)
    assert leases.claim_next(user=reviewer) == item
    assert leases.claim_next(user=make_user(role="reviewer")) is None


def test_a_label_of_an_email_that_is_gone_is_refused(db):
    email = make_email()
    Email.objects.filter(pk=email.pk).delete()
    with pytest.raises(Email.DoesNotExist, match=f"email {email.pk} is gone"):
        label_by_person(email=email, verification=Verification(type="query"))


def test_an_expired_lease_goes_to_the_next(reviewer):
    item = held(reviewer)
    ReviewItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    other = make_user(role="reviewer")
    assert leases.claim_next(user=other) == item
    with pytest.raises(Conflict) as error:
        leases.heartbeat(item=item, user=reviewer, lease=item.lease)
    assert error.value.code == "held_by_other"


@pytest.mark.parametrize("skew", [timedelta(minutes=12), timedelta(minutes=-12)], ids=["ahead", "behind"])
def test_hosts_whose_clocks_differ_by_more_than_a_lease_never_store_two_answers(reviewer, skew):
    """What is asked of clocks is not to be trusted: the token decides, and one of the two is told."""
    real, other = timezone.now, make_user(role="reviewer")
    item = held(reviewer)
    first = answer(item)
    with patch("django.utils.timezone.now", lambda: real() + skew):  # a second host
        theirs = leases.claim_next(user=other)
        if theirs is not None:
            verify(item=theirs, user=other, answer=answer(theirs))
    if theirs is None:  # behind: to that host the hold lasts longer
        verify(item=item, user=reviewer, answer=first)
    else:
        with pytest.raises(Conflict):
            verify(item=item, user=reviewer, answer=first)
    assert (theirs is None) == (skew < timedelta(0))
    assert Verification.objects.filter(action="confirm").count() == 1


def test_a_hold_given_by_a_host_whose_clock_is_behind_is_short_and_still_one_persons(reviewer):
    real, other = timezone.now, make_user(role="reviewer")
    make_item()
    with patch("django.utils.timezone.now", lambda: real() - timedelta(minutes=12)):
        item = leases.claim_next(user=reviewer)
        first = answer(item)
    assert leases.claim_next(user=other) == item
    with patch("django.utils.timezone.now", lambda: real() - timedelta(minutes=12)), pytest.raises(Conflict):
        verify(item=item, user=reviewer, answer=first)
    assert not Verification.objects.exists()


def test_a_heartbeat_prolongs(reviewer):
    item = held(reviewer)
    ReviewItem.objects.update(lease_until=timezone.now() + timedelta(seconds=5))
    assert leases.heartbeat(item=item, user=reviewer, lease=item.lease) > timezone.now() + timedelta(seconds=500)


def test_a_confirmation_labels_the_email_and_closes_the_item(reviewer):
    item = held(reviewer)
    verification = verify(item=item, user=reviewer, answer=answer(item))
    email = Email.objects.get()
    assert (email.type, email.subtype.slug, email.confidence) == ("complaint", "bug_complaint", None)
    assert email.prediction.subtype.slug == "outage_complaint", "the prediction stays as it was"
    assert (verification.source, verification.seconds) == ("low_confidence", 4.0)
    item.refresh_from_db()
    assert item.status == "done"


def test_the_same_key_twice_is_one_answer(reviewer):
    item = held(reviewer)
    sent = answer(item)
    assert verify(item=item, user=reviewer, answer=sent) == verify(item=item, user=reviewer, answer=sent)
    assert Verification.objects.count() == 1


def test_an_answer_that_comes_again_hands_out_no_second_email_and_changes_no_label(client, reviewer):
    """The response to an answer gets lost on the way; the page sends it again."""
    client.force_login(reviewer)
    for _ in range(4):
        make_item()
    item = leases.claim_next(user=reviewer)
    fields = {
        "lease": item.lease,
        "idempotency_key": "k",
        "action": "confirm",
        "type": "query",
        "subtype": "~none_fits",
    }
    for _ in range(3):
        assert client.post(f"/review/{item.pk}/answer/", fields, headers={"HX-Request": "true"}).status_code == 200
    assert ReviewItem.objects.filter(holder=reviewer, status="open").count() == 1
    changed = fields | {"subtype": "~undecided"}
    answer_ = client.post(f"/review/{item.pk}/answer/", changed, headers={"HX-Request": "true"})
    assert answer_.status_code == 409 and "no subtype fits" in answer_.json()["message"]


@pytest.mark.parametrize("state", ["expired", "taken", "done"])
def test_a_late_answer_is_refused_and_stores_nothing(reviewer, state):
    item = held(reviewer)
    late = answer(item)
    ReviewItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    if state != "expired":
        other = make_user(role="reviewer")
        assert leases.claim_next(user=other)
        if state == "done":
            verify(item=item, user=other, answer=answer(item))
    before = Verification.objects.count()
    with pytest.raises(Conflict) as error:
        verify(item=item, user=reviewer, answer=late)
    assert error.value.code == {"expired": "lease_expired", "taken": "held_by_other", "done": "already_done"}[state]
    assert Verification.objects.count() == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"subtype": "nope"}, "is not in it; allowed: bug_complaint, "),
        ({"type": "query"}, "bug_complaint is a complaint"),
        ({"subtype": ""}, "Choose a subtype"),
        ({"second_subtype": "bug_complaint"}, "same as the first"),
        ({"action": "skip"}, "A reason is needed"),
        ({"action": "dance"}, "allowed: confirm, skip, flag"),
    ],
)
def test_a_wrong_answer_is_named_and_the_hold_stays(reviewer, fields, message):
    item = held(reviewer)
    with pytest.raises(DeskError, match=message):
        verify(item=item, user=reviewer, answer=answer(item, **fields))
    assert leases.held_by(reviewer) == item


def test_a_skipped_item_goes_to_somebody_else(reviewer):
    item = held(reviewer)
    verify(item=item, user=reviewer, answer=answer(item, action="skip", reason="cannot decide"))
    assert leases.claim_next(user=reviewer) is None
    assert leases.claim_next(user=make_user(role="reviewer")) == item


def test_a_flagged_item_waits_for_an_admin(reviewer, admin):
    item = held(reviewer)
    verify(item=item, user=reviewer, answer=answer(item, action="flag", reason="odd"))
    assert leases.claim_next(user=make_user(role="reviewer")) is None
    assert leases.claim_next(user=admin) == item
    assert verify(item=item, user=admin, answer=answer(item)).source == "flagged"


def test_undo_reopens_for_the_same_reviewer_as_a_new_row(reviewer):
    item = held(reviewer)
    verify(item=item, user=reviewer, answer=answer(item, second_subtype="access_query"))
    assert undo(user=reviewer) == item
    email = Email.objects.get()
    assert (email.verification, email.type, email.subtype) == (None, "complaint", None)
    assert Verification.objects.count() == 2 and not confirmed(Verification.objects.all()).exists()
    verify(item=item, user=reviewer, answer=answer(item, subtype="outage_complaint"))
    assert Email.objects.get().subtype.slug == "outage_complaint"


def test_the_last_20_can_be_undone_and_not_more(reviewer):
    for _ in range(22):
        item = held(reviewer)
        verify(item=item, user=reviewer, answer=answer(item))
    for _ in range(20):
        assert undo(user=reviewer)
        ReviewItem.objects.filter(holder=reviewer).update(holder=None, lease_until=None)
    with pytest.raises(DeskError, match="nothing to undo"):
        undo(user=reviewer)
    assert confirmed(Verification.objects.all()).count() == 2


def test_a_moved_email_is_classified_anew_and_stays_in_the_queue(reviewer, admin):
    retail = make_department("retail")
    item = held(reviewer)
    item = ReviewItem.objects.select_related("email__department").get()
    move(item=item, user=reviewer, lease=item.lease, department=retail)
    email = Email.objects.get()
    assert (email.department, email.prediction, email.type) == (retail, None, "")
    assert leases.claim_next(user=admin) is None, "not before it has a prediction"
    item.refresh_from_db()
    assert item.reason.startswith("moved here from IT")


def test_a_move_is_undone_with_its_prediction_at_once(reviewer):
    first = held(reviewer)
    verify(item=first, user=reviewer, answer=answer(first))
    item = held(reviewer)
    before = item.email.prediction_id
    retail = make_department("retail")
    move(item=item, user=reviewer, lease=item.lease, department=retail, idempotency_key="k")
    again = move(item=item, user=reviewer, lease=item.lease, department=retail, idempotency_key="k")
    assert again.action == "move", "a repeated click is one move"
    make_prediction(Email.objects.get(pk=item.email_id))
    assert undo(user=reviewer) == item, "not the answer before it"
    item.refresh_from_db()
    email = Email.objects.get(pk=item.email_id)
    assert (email.department.slug, email.prediction_id, item.holder) == ("it", before, reviewer)
    assert item.prediction_id == before and leases.held_by(reviewer) == item


def test_a_move_that_somebody_built_on_is_not_undone(reviewer, agent):
    item = held(reviewer)
    move(item=item, user=reviewer, lease=item.lease, department=make_department("retail"))
    make_prediction(Email.objects.get(pk=item.email_id))
    correct(email=Email.objects.get(pk=item.email_id), user=agent, type="", subtype="access_query")
    with pytest.raises(Conflict):
        undo(user=reviewer)


def test_undo_shows_what_was_answered(client, reviewer):
    client.force_login(reviewer)
    item = held(reviewer)
    fields = {"type": "query", "subtype": "access_query", "second_subtype": "bug_complaint", "reason": "two things"}
    verify(item=item, user=reviewer, answer=answer(item, **fields))
    headers = {"HX-Request": "true"}
    for page in (client.post("/review/undo/", headers=headers), client.get("/review/")):  # also after a reload
        shown = page.content.decode()
        assert 'value="access_query" checked' in shown and 'value="query" data-digit="2" checked' in shown
        assert '<option value="bug_complaint" selected>' in shown and 'value="two things"' in shown


@pytest.mark.parametrize("why", ["none_fits", "undecided"])
def test_an_answer_without_a_subtype_is_stored_and_exported(reviewer, why):
    item = held(reviewer)
    given = {"type": "query", "subtype": ""}
    with pytest.raises(DeskError, match="say that none fits"):
        verify(item=item, user=reviewer, answer=answer(item, **given))
    with pytest.raises(DeskError, match="without_subtype is 'x'; allowed: none_fits, undecided"):
        verify(item=item, user=reviewer, answer=answer(item, without_subtype="x", **given))
    verify(item=item, user=reviewer, answer=answer(item, without_subtype=why, **given))
    email = Email.objects.get(pk=item.email_id)
    assert (email.type, email.subtype, email.verification.without_subtype) == ("query", None, why)
    (row,) = label_rows(latest_snapshot())
    assert (row["type"], row["subtype"], row["without_subtype"]) == ("query", "", why)


def test_who_cannot_tell_the_subtype_says_nothing_about_it_and_who_finds_none_does(reviewer):
    for why in ("", "none_fits", "undecided", "undecided"):
        make_classified(subtype="outage_complaint")
    draw = draw_weekly_sample(size=4)
    for why, type_ in (
        ("", "complaint"),
        ("none_fits", "complaint"),
        ("undecided", "complaint"),
        ("undecided", "query"),
    ):
        item = leases.claim_next(user=reviewer)
        subtype = "" if why else "outage_complaint"
        verify(item=item, user=reviewer, answer=answer(item, type=type_, subtype=subtype, without_subtype=why))
    week = week_of([draw])
    assert (week.type.n, week.type.value) == (4, 0.75)
    assert (week.subtype.n, week.subtype.value) == (3, pytest.approx(1 / 3)), "a wrong type is a wrong subtype"


@pytest.mark.parametrize("source", [Source.UNREADABLE, Source.OUT_OF_SCOPE])
def test_where_the_prediction_means_little_nothing_is_chosen_before(client, reviewer, source):
    client.force_login(reviewer)
    item = held(reviewer)
    type(item).objects.update(source=source)
    shown = client.get("/review/").content.decode()
    assert "data-starts-empty" in shown and " checked>" not in shown and "No subtype fits" in shown


def test_an_agents_correction_closes_the_review_and_stays_out_of_accuracy(agent):
    item = make_item()
    correct(email=item.email, user=agent, type="", subtype="access_query")
    email = Email.objects.get()
    assert (email.type, email.verification.source) == ("query", "agent")
    item.refresh_from_db()
    assert item.status == "done"


def test_a_sample_is_answered_all_the_same_where_an_agent_has_corrected(agent, reviewer):
    """Else the figure would lose what the model got wrong, and nothing else."""
    item = make_item()
    draw = draw_weekly_sample(size=1)
    correct(email=item.email, user=agent, type="", subtype="access_query")
    claimed = leases.claim_next(user=reviewer)
    assert (claimed.pk, claimed.blind) == (item.pk, True)
    verify(item=claimed, user=reviewer, answer=answer(claimed, subtype="bug_complaint"))
    assert Email.objects.get().subtype.slug == "access_query", "the agent's label stays in force"
    (judged,) = week_of([draw]).judged
    assert (judged.answer.reviewer, judged.right) == (reviewer, False)


def test_the_weekly_sample_is_drawn_once_with_its_probability(db):
    for _ in range(30):
        make_classified()
    make_item()
    draw = draw_weekly_sample(size=10)
    assert (draw.size, draw.population) == (10, 31)
    assert draw_weekly_sample(size=10) is None
    items = ReviewItem.objects.filter(draw=draw)
    assert items.count() == 10
    assert {i.sampling_probability for i in items} == {10 / 31}


@pytest.mark.django_db(transaction=True)
def test_eight_racing_reviewers_claim_each_item_once():
    Department.objects.filter(slug="it").delete()
    for _ in range(40):
        make_item()
    users = [make_user(role="reviewer") for _ in range(8)]

    def work(user) -> list[int]:
        mine = []
        try:
            while item := leases.claim_next(user=user):
                verify(item=item, user=user, answer=answer(item))
                mine.append(item.pk)
        finally:
            connection.close()
        return mine

    with ThreadPoolExecutor(8) as pool:
        done = [pk for mine in pool.map(work, users) for pk in mine]
    assert len(done) == len(set(done)) == 40
    assert confirmed(Verification.objects.all()).count() == 40


def test_a_moved_email_loses_the_label_of_its_old_department(agent, admin):
    item = make_item()
    correct(email=item.email, user=agent, type="", subtype="access_query")
    email = Email.objects.select_related("department").get()
    move_email(email=email, department=make_department("retail"), user=agent)
    email.refresh_from_db()
    assert (email.verification, email.type) == (None, "")
    make_prediction(email)
    assert Email.objects.get().type == "complaint"


def test_flagging_an_email_in_review_takes_it_to_an_admin(reviewer, admin):
    item = held(reviewer)
    flag(email=Email.objects.select_related("prediction").get(), reason="threat")
    assert leases.claim_next(user=reviewer) is None
    assert leases.claim_next(user=admin) == item
    item.refresh_from_db()
    assert (item.flagged, item.flag_reason) == (True, "threat")


def test_undo_is_refused_where_somebody_answered_since(reviewer, agent):
    item = held(reviewer)
    verify(item=item, user=reviewer, answer=answer(item))
    correct(email=Email.objects.get(), user=agent, type="", subtype="access_query")
    with pytest.raises(Conflict, match="Somebody else"):
        undo(user=reviewer)
    assert Email.objects.get().type == "query"
