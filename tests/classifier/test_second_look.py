"""Labels that may be wrong are found and looked at again by somebody else."""

import pytest

from classifier.models import Disagreement, Email, Prediction, ReviewItem, Verification
from classifier.review import leases
from classifier.review.second_look import open_second_looks
from classifier.review.services import correct, verify
from tests.classifier.test_review import answer
from tests.factories import make_classified, make_user

SUBTYPES = ("access_query", "outage_complaint", "bug_complaint")


@pytest.fixture
def labelled(agent):
    """60 labels that the model agrees with, but for three that it is sure are wrong."""
    wrong = []
    for n in range(60):
        said = SUBTYPES[n % 3]
        given = SUBTYPES[(n + 1) % 3] if n in (7, 23, 41) else said
        email = make_classified(subtype=said, confidence=0.9, subject=f"Mail {n}")
        correct(email=email, user=agent, type="", subtype=given)
        if given != said:
            wrong.append(email.pk)
    return wrong


def test_suspects_go_to_the_queue_blind_and_once(labelled):
    assert open_second_looks() == 3
    items = ReviewItem.objects.all()
    assert {i.email_id for i in items} == set(labelled)
    assert {(i.source, i.blind, i.independent) for i in items} == {("second_look", True, True)}
    assert all("0." not in i.reason for i in items), "what the model said is not told"
    assert open_second_looks() == 0


def test_a_second_look_that_differs_is_decided_by_somebody(labelled):
    open_second_looks()
    reviewer = make_user(role="reviewer")
    item = leases.claim_next(user=reviewer)
    before = Email.objects.get(pk=item.email_id).subtype
    said = Prediction.objects.get(email=item.email_id).subtype
    verify(item=item, user=reviewer, answer=answer(item, type=said.type, subtype=said.slug))
    assert Email.objects.get(pk=item.email_id).subtype == before
    assert Disagreement.objects.get().email_id == item.email_id


def test_a_second_look_that_agrees_ends_it(labelled):
    open_second_looks()
    reviewer = make_user(role="reviewer")
    item = leases.claim_next(user=reviewer)
    label = Email.objects.get(pk=item.email_id).subtype
    verify(item=item, user=reviewer, answer=answer(item, type=label.type, subtype=label.slug))
    assert not Disagreement.objects.exists()


def test_few_labels_give_no_suspects(agent):
    for n in range(8):
        email = make_classified(subtype="access_query", confidence=0.9)
        correct(email=email, user=agent, type="", subtype="bug_complaint")
    assert open_second_looks() == 0 and Verification.objects.count() == 8
