"""B gets the mail by stages, and is taken back."""

import pytest
from django.utils import timezone

from abtests import lifecycle, rollout
from abtests.models import Experiment
from abtests.reports import figures, report, result
from abtests.services import note_trouble
from reviewdesk.audit.models import AuditEvent
from reviewdesk.errors import Conflict, DeskError
from tests.abtests.helpers import PLAN, b_wins, measure, seats


def test_a_rollout_goes_by_stages_is_held_and_leaves_a_ledger(running, admin):
    experiment, _ = running(mode="shadow")
    phase = rollout.begin_rollout(experiment=experiment, by=admin, reason="we trust it")
    assert phase.share == 0.1
    arms = [s.arm for s in seats(300)]
    assert 10 < arms.count("B") < 60
    rollout.hold(experiment=experiment, held=True, by=admin)
    with pytest.raises(Conflict, match="is held"):
        rollout.next_stage(experiment=experiment, after=phase.pk)
    second = rollout.next_stage(experiment=experiment, after=phase.pk, by=admin)
    assert second.share == 0.5
    with pytest.raises(Conflict, match="another stage"):
        rollout.next_stage(experiment=experiment, after=phase.pk, by=admin)
    assert rollout.next_stage(experiment=experiment, after=second.pk, by=admin) is None
    experiment.refresh_from_db()
    assert experiment.status == "deployed"
    ledger = AuditEvent.objects.filter(object_type="experiment").order_by("pk").values_list("action", flat=True)
    assert list(ledger) == ["create", "start", "roll out", "hold", "next stage", "deploy"]


def test_a_deployed_shadow_test_shows_its_last_stage_and_not_an_empty_shadow(running, admin):
    experiment, _ = running(mode="shadow")
    first = rollout.begin_rollout(experiment=experiment, by=admin, reason="we trust it")
    second = rollout.next_stage(experiment=experiment, after=first.pk, by=admin)
    measure(second, "B", 5)
    rollout.next_stage(experiment=experiment, after=second.pk, by=admin)
    experiment.refresh_from_db()
    found = report(experiment)
    assert (found.pairs, found.split.share, found.emails["B"]) == (None, 0.5, 5)


def test_a_rollout_is_rolled_back_at_once(running, admin):
    experiment, _ = running(mode="shadow")
    rollout.begin_rollout(experiment=experiment, by=admin, reason="we trust it")
    rollout.roll_back(experiment=experiment, by=admin, reason="customers complain")
    assert seats(1) == [None]
    experiment.refresh_from_db()
    assert (experiment.status, experiment.trouble) == ("rolled_back", "customers complain")
    with pytest.raises(Conflict, match="only an active test"):
        rollout.next_stage(experiment=experiment, after=0)


def test_a_rollout_against_the_verdict_needs_a_reason_and_keeps_what_was_known(running, admin):
    experiment, phase = running()
    note_trouble(phase=phase.pk, reason="Arm B fails to load.")
    with pytest.raises(DeskError, match="The verdict is “unhealthy”: Arm B fails to load. Say why"):
        rollout.begin_rollout(experiment=experiment, by=admin, reason=" ")
    rollout.begin_rollout(experiment=experiment, by=admin, reason="mended since")
    kept = AuditEvent.objects.get(action="roll out").detail
    assert (kept["verdict"], kept["shown"], kept["reason"]) == ("unhealthy", "Arm B fails to load", "mended since")
    assert report(experiment).trouble == "" and result(experiment).trouble == "Arm B fails to load."


def test_a_verdict_for_b_needs_no_reason_and_stays_in_the_report_of_the_rollout(running, admin):
    experiment, phase = running()
    b_wins(phase)
    stage = rollout.begin_rollout(experiment=experiment, by=admin)
    measure(stage, "B", 20, offset=1_000)
    said = figures(experiment)
    assert (said["phase"], said["emails"]["B"], said["decision"], said["labels"]) == (2, 20, "ready: deploy B", 600)
    assert "decision" not in said["phases"][1], "a stage asks nobody for labels"


def test_only_a_rollout_is_held_or_rolled_back(running, admin):
    experiment, _ = running()
    for act in (
        lambda: rollout.roll_back(experiment=experiment),
        lambda: rollout.hold(experiment=experiment, held=True),
    ):
        with pytest.raises(Conflict, match="not being rolled out"):
            act()
    rollout.begin_rollout(experiment=experiment, reason="we trust it")
    with pytest.raises(DeskError, match="goes by its stages"):
        lifecycle.change_share(experiment=experiment, plan=PLAN, share=0.3)


def test_a_rollout_is_not_ended_as_a_test_is_and_not_rolled_back_from_a_stage_that_is_over(running, admin):
    experiment, _ = running()
    first = rollout.begin_rollout(experiment=experiment, by=admin, reason="we trust it")
    with pytest.raises(Conflict, match="is being rolled out; roll it back"):
        lifecycle.end(experiment=experiment)
    rollout.next_stage(experiment=experiment, after=first.pk)
    with pytest.raises(Conflict, match="another phase"):
        rollout.roll_back(experiment=experiment, seen=first)


def test_why_a_deployed_model_was_taken_back_is_kept(running, admin):
    experiment, _ = running()
    Experiment.objects.update(status="deployed", ended_at=(then := timezone.now()))
    rollout.note_rolled_back(experiment=experiment, by=admin, reason="customers complain")
    experiment.refresh_from_db()
    assert (experiment.status, experiment.trouble) == ("rolled_back", "customers complain")
    assert experiment.ended_at == then
