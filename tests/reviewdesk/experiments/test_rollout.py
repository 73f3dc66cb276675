"""A rollout on its page: the gate, what holds it, what takes it back."""

import pytest

from abtests.models import Assignment, Experiment, Phase
from abtests.services import Metric
from classifier.models import ModelAlias, ModelVersion
from classifier.registry.services import archive, promote, restore
from reviewdesk.errors import DeskError
from reviewdesk.experiments import watching
from reviewdesk.people.services import create_token
from tests.abtests.helpers import b_wins, measure
from tests.factories import make_version
from tests.reviewdesk.experiments.helpers import WHY, long_ago, production


def test_a_rollout_waits_at_its_gate_then_ends_in_production_and_goes_back_by_one_click(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    stage = experiment.phases.get(number=2)
    early = page.post(f"/experiments/{experiment.slug}/rollout/")
    assert (early.status_code, "24 more hours" in early.content.decode()) == (400, True)
    for number, share in ((2, 0.1), (3, 0.5)):
        stage = experiment.phases.get(number=number)
        assert stage.share == share
        measure(stage, "A", 210)
        measure(stage, "B", 210)
        watching.watch()
        assert experiment.phases.count() == number, "not before a day is over"
        long_ago(stage)
        watching.watch()
    experiment.refresh_from_db()
    assert (experiment.status, production()) == ("deployed", "second")
    assert "second answers everything" in page.get(f"/experiments/{experiment.slug}/").content.decode()
    page.post(f"/experiments/{experiment.slug}/rollback/", {"reason": "customers complain"})
    experiment.refresh_from_db()
    assert (experiment.status, production()) == ("rolled_back", "starter")
    ledger = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert ledger.count("next stage") == 1 and "customers complain" in ledger


def test_a_held_rollout_stays(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    page.post(f"/experiments/{experiment.slug}/hold/", {"held": "1"})
    stage = experiment.phases.get(number=2)
    measure(stage, "A", 210)
    measure(stage, "B", 210)
    long_ago(stage)
    watching.watch()
    assert experiment.phases.count() == 2
    page.post(f"/experiments/{experiment.slug}/hold/", {"held": ""})
    watching.watch()
    assert experiment.phases.count() == 3


def test_a_broken_guardrail_rolls_back_by_itself(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    stage = experiment.phases.get(number=2)
    measure(stage, "A", 300)
    measure(stage, "B", 300, **{Metric.ERROR: lambda k: float(k % 5 == 0)})
    watching.watch()
    experiment.refresh_from_db()
    assert experiment.status == "rolled_back"
    assert "error rate is up by 20.0 points" in experiment.trouble


def test_the_api_shows_starts_ends_and_rolls_back(client, made, admin):
    experiment = made()
    client.logout()
    headers = {"Authorization": f"Bearer {create_token(user=admin)}"}

    def post(action: str, **data):
        address = f"/api/v1/experiments/{experiment.slug}/{action}"
        return client.post(address, data, content_type="application/json", headers=headers)

    assert post("start").json()["status"] == "running"
    assert client.get("/api/v1/experiments", headers=headers).json()["experiments"][0]["slug"] == "second"
    assert post("end", reason="enough").json()["status"] == "ended"
    refused = post("rollback")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_the_gate_waits_until_latency_can_be_judged(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    stage = experiment.phases.get(number=2)
    for arm in "AB":
        measure(stage, arm, 150)
    long_ago(stage)
    watching.watch()
    said = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert "waits for latency to be judged: 150 of 200 emails an arm" in said
    assert experiment.phases.count() == 2
    for arm in "AB":
        measure(stage, arm, 200)
    said = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert "No guardrail is broken; edit distance of drafts cannot be judged yet; the next stage may begin." in said
    watching.watch()
    assert experiment.phases.count() == 3


def test_a_rollout_without_a_verdict_asks_for_a_reason(page, running):
    experiment, phase = running()
    refused = page.post(f"/experiments/{experiment.slug}/rollout/")
    assert (refused.status_code, "Say why B is rolled out all the same" in refused.content.decode()) == (400, True)
    b_wins(phase)
    page.post(f"/experiments/{experiment.slug}/rollout/")
    said = page.get(f"/experiments/{experiment.slug}/").content.decode()
    assert "The test had shown" in said and "+25.0 pts" in said and "Earlier phases" in said


def test_a_rollback_after_a_rollout_puts_the_control_back_whatever_served_before(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    Experiment.objects.update(status="deployed")
    promote(version=ModelVersion.objects.get(version="second"))
    ModelAlias.objects.filter(name="previous").delete()
    page.post(f"/experiments/{experiment.slug}/rollback/")
    assert production() == "starter"


def test_a_model_that_somebody_promoted_meanwhile_is_not_overwritten(page, running):
    """No mail came since, so no worker has noticed; the look every few minutes does."""
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    Phase.objects.filter(number=2).update(share=0.5)
    stage = experiment.phases.get(number=2)
    for arm in "AB":
        measure(stage, arm, 210)
    long_ago(stage)
    promote(version=make_version("third"), verified=True)
    refused = page.post(f"/experiments/{experiment.slug}/rollout/")
    assert (refused.status_code, "starter is not in production, third is" in refused.content.decode()) == (409, True)
    watching.watch()
    experiment.refresh_from_db()
    assert (experiment.status, production()) == ("rolled_back", "third")
    assert (
        "third answers everything. starter is not in production"
        in page.get(f"/experiments/{experiment.slug}/").content.decode()
    )


def test_an_admin_need_not_wait_but_says_why(page, running):
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    assert page.post(f"/experiments/{experiment.slug}/rollout/").status_code == 400
    assert "Do not wait" in page.get(f"/experiments/{experiment.slug}/").content.decode()
    page.post(f"/experiments/{experiment.slug}/rollout/", {"reason": "our customers are always the same"})
    assert experiment.phases.count() == 3
    stage = experiment.phases.get(number=3)
    measure(stage, "A", 60)
    measure(stage, "B", 60, **{Metric.ERROR: lambda k: float(k % 2)})
    refused = page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    assert (refused.status_code, "error rate is up" in refused.content.decode()) == (400, True)


def test_an_archived_model_is_not_rolled_out_and_one_in_a_test_is_not_archived(page, running, second):
    experiment, _ = running()
    with pytest.raises(DeskError, match="second is in the test Second; end it first"):
        archive(version=second)
    page.post(f"/experiments/{experiment.slug}/end/")
    archive(version=second)
    refused = page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    assert (refused.status_code, "second is archived; restore it first" in refused.content.decode()) == (400, True)
    restore(version=second)
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    assert ModelVersion.objects.get(version="second").state == "testing"


def test_a_split_that_looks_wrong_shuts_the_gate_and_takes_nothing_back(page, running):
    """Looked at so often it may be chance; a person decides."""
    experiment, _ = running()
    page.post(f"/experiments/{experiment.slug}/rollout/", WHY)
    stage = experiment.phases.get(number=2)
    Assignment.objects.bulk_create(
        Assignment(experiment=experiment, phase=stage, unit=f"thread:{k}", arm="A") for k in range(400)
    )
    watching.watch()
    experiment.refresh_from_db()
    stage.refresh_from_db()
    assert (experiment.status, stage.trouble) == ("rollout", "")
    assert (
        "B has 0.0% of the units where 10.0% was set" in page.get(f"/experiments/{experiment.slug}/").content.decode()
    )
