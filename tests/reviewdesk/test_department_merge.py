"""A department taken over by another, whole or not at all."""

import pytest
from django.utils import timezone

from abtests.models import Experiment, Phase
from abtests.reports import report
from abtests.services import Metric, record_outcomes
from classifier.models import Department, Email, Mailbox, ReviewItem, Source, Subtype
from classifier.retraining.rows import label_rows, latest_snapshot
from classifier.review import leases
from classifier.review.services import correct, verify
from responses.models import Document
from reviewdesk.department_merge import merge_departments, moves
from reviewdesk.errors import DeskError
from tests.classifier.test_review import answer
from tests.factories import make_classified, make_department


@pytest.fixture
def retail(agent):
    """A department with a labelled email, a subtype of its own and a document."""
    department = make_department("retail")
    Subtype.objects.create(department=department, slug="till_query", name="Till query", type="query")
    email = make_classified(department="retail")
    correct(email=email, user=agent, type="", subtype="bug_complaint")
    own = make_classified(department="retail")
    correct(email=own, user=agent, type="", subtype="till_query")
    Document.objects.create(
        department=department, slug="tills", title="Tills", doc_type="guide", text="T", status="ready"
    )
    return department


def test_everything_goes_along_and_labels_stay(retail, admin):
    it = make_department("it")
    found = moves(department=retail, into=it)
    assert (found.emails, found.documents, found.subtypes) == (2, 1, 5)
    assert found.joined == ["access_query", "ad_spam", "bug_complaint", "outage_complaint"]
    merge_departments(department=retail, into=it, by=admin, reason="one team")
    assert {e.department for e in Email.objects.all()} == {it} == {m.department for m in Mailbox.objects.all()}
    assert {e.subtype.slug for e in Email.objects.all()} == {"bug_complaint", "till_query"}
    assert {e.subtype.department for e in Email.objects.all()} == {it}
    assert Document.objects.get().department == it
    assert not Department.objects.get(pk=retail.pk).active
    rows = {(r["department"], r["subtype"]) for r in label_rows(latest_snapshot())}
    assert rows == {("it", "bug_complaint"), ("it", "till_query")}


def test_two_documents_of_one_name_stop_it_and_nothing_has_moved(retail, admin):
    it = make_department("it")
    Document.objects.create(department=it, slug="tills", title="Tills", doc_type="guide", text="T", status="ready")
    with pytest.raises(DeskError, match="named 'tills' already"):
        merge_departments(department=retail, into=it, by=admin, reason="one team")
    assert Email.objects.filter(department=retail).count() == 2 and retail.subtypes.count() == 5


def test_the_page_shows_what_moves_first(client, retail, admin):
    make_department("it")
    client.force_login(admin)
    shown = client.get(f"/settings/taxonomy/{retail.pk}/moves/", {"into": "it"}).content.decode()
    assert "2 emails" in shown and "bug_complaint" in shown
    client.post(f"/settings/taxonomy/{retail.pk}/merge/", {"into": "it"})
    assert Email.objects.filter(department=retail).exists(), "not without a reason"
    client.post(f"/settings/taxonomy/{retail.pk}/merge/", {"into": "it", "reason": "one team"})
    assert not Email.objects.filter(department=retail).exists()
    with pytest.raises(DeskError, match="out of use"):
        merge_departments(department=make_department("it"), into=retail, by=admin, reason="one team")


def test_a_test_between_models_goes_along_once_it_is_over(retail, admin):
    it = make_department("it")
    own = Experiment.objects.create(
        name="Till", slug="till", control="a", treatment="b", departments=["retail"], status="running"
    )
    with pytest.raises(DeskError, match="Till is active in retail, its mail would change; end it first"):
        merge_departments(department=retail, into=it, by=admin, reason="one team")
    assert Email.objects.filter(department=retail).exists(), "nothing has moved"
    Experiment.objects.update(status="ended")
    merge_departments(department=retail, into=it, by=admin, reason="one team")
    own.refresh_from_db()
    assert own.departments == ["it"]


def test_what_models_said_before_a_merge_is_still_judged(retail, reviewer, admin):
    """A department of a test of all mail is merged while an email of it waits for its label."""
    email = make_classified(department="retail")
    experiment = Experiment.objects.create(
        name="All", slug="all", mode="split", control="1", treatment="new", status="running"
    )
    Experiment.objects.update(control=email.prediction.model_version.version)
    phase = Phase.objects.create(experiment=experiment, number=1, share=0.5, planned=100, started_at=timezone.now())
    record_outcomes(phase=phase.pk, subject=str(email.pk), arm="A", values={Metric.CONFIDENCE: 0.5})
    item = ReviewItem.objects.create(email=email, prediction=email.prediction, source=Source.EXPERIMENT)
    merge_departments(department=retail, into=make_department("it"), by=admin, reason="one team")
    leases.claim(item=item, user=reviewer)
    verify(item=item, user=reviewer, answer=answer(item))
    assert report(experiment).counts["A"].n == 1
