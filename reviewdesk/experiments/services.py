"""Tests between model versions, with what only the whole desk knows: the models, the traffic, the reviewers.

`abtests` knows text and numbers; here they become model versions that are verified and marked.
"""

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from abtests import lifecycle
from abtests.models import Experiment, Phase
from abtests.planning import USUAL_DISAGREEMENT, USUAL_RATE, Plan, Traffic, plan_shadow, plan_split
from abtests.queries import ACTIVE
from classifier.accuracy.queries import by_version, weeks
from classifier.labels import confirmed
from classifier.models import ModelAlias, ModelVersion, Prediction, Source, Verification
from classifier.registry import services as registry
from classifier.registry.queries import PRODUCTION, find_version
from reviewdesk.errors import DeskError
from reviewdesk.people.models import User

Mode = Experiment.Mode
SPAN = timedelta(days=28)


def traffic(departments: list[str]) -> Traffic:
    """Emails a week in these departments (none: in all), and answers that reviewers give a week, over four weeks."""
    since = timezone.now() - SPAN
    emails = Prediction.objects.filter(email__prediction=F("pk"), created_at__gte=since)
    if departments:
        emails = emails.filter(department__slug__in=departments)
    answers = confirmed(Verification.objects.filter(created_at__gte=since)).exclude(
        source__in=[Source.GOLD, Source.AGENT]
    )
    a_week = SPAN / timedelta(weeks=1)
    return Traffic(emails.count() / a_week, answers.count() / a_week)


def measured_rate(version: str) -> float:
    """The version's accuracy in the weekly samples; USUAL_RATE where there is none."""
    rates = {name: found.value for name, found in by_version(weeks())}
    return rates.get(version) or USUAL_RATE


def plan(
    *, mode: str, gain: float, share: float, weeks: int, departments: list[str], control: str,
    disagreement: float = USUAL_DISAGREEMENT,
) -> Plan:  # fmt: skip
    """What a test takes here. Raises DeskError for a gain that cannot be measured."""
    try:
        if mode == Mode.SHADOW:
            return plan_shadow(disagreement=disagreement, gain=gain, traffic=traffic(departments))
        return plan_split(
            rate=measured_rate(control), gain=gain, share=share, weeks=weeks, traffic=traffic(departments)
        )
    except ValueError as error:
        raise DeskError(f"{error}") from None


def plan_of(experiment: Experiment, share: float | None = None) -> Plan:
    """As it would begin now, by default with its own split."""
    e = experiment
    return plan(
        mode=e.mode, gain=e.gain, share=share or e.share, weeks=e.weeks, departments=e.departments, control=e.control,
        disagreement=e.disagreement,
    )  # fmt: skip


def usurped(experiment: Experiment, *, lock: bool = False) -> str:
    """Why A is not what serves, or nothing; `lock` keeps it so until the caller's transaction ends."""
    found = ModelAlias.objects.filter(name=PRODUCTION).select_related("version")
    serving = (found.select_for_update(of=("self",)) if lock else found).first()
    if serving is not None and serving.version.version == experiment.control:
        return ""
    return f"{experiment.control} is not in production, {serving.version if serving else 'no model'} is."


def ready(experiment: Experiment) -> ModelVersion:
    """The treatment, verified. Raises DeskError where it cannot answer mail, or where A does not serve."""
    if why := usurped(experiment):
        raise DeskError(f"{why} A is what serves now.")
    version = find_version(experiment.treatment)
    if version.state == ModelVersion.State.ARCHIVED:
        raise DeskError(f"{version} is archived; restore it first.")
    registry.verify(version)
    return version


def in_test(version: ModelVersion, by: User | None) -> None:
    """Mark the treatment as one that answers, or scores, real mail."""
    if version.state in (ModelVersion.State.CANDIDATE, ModelVersion.State.DEPRECATED):
        registry.set_testing(version=version, by=by)


def start(*, experiment: Experiment, by: User | None = None) -> Phase:
    """Begin a test; the treatment's files are verified first. Raises DeskError where the control does not serve."""
    version = ready(experiment)
    phase = lifecycle.start(experiment=experiment, plan=plan_of(experiment), by=by)
    in_test(version, by)
    return phase


def change_share(*, experiment: Experiment, share: float, by: User | None = None) -> Phase:
    """Another split, with the labels planned anew at the mail that comes now."""
    return lifecycle.change_share(experiment=experiment, share=share, plan=plan_of(experiment, share), by=by)


def end(*, experiment: Experiment, by: User | None = None, reason: str = "", seen: Phase | None = None) -> None:
    """Raises Conflict where another phase than the one that was `seen` runs."""
    lifecycle.end(experiment=experiment, by=by, reason=reason, seen=seen)
    not_in_test(experiment, by)


def not_in_test(experiment: Experiment, by: User | None) -> None:
    """The treatment is a candidate again, unless another test has it."""
    others = Experiment.objects.filter(treatment=experiment.treatment, status__in=ACTIVE).exclude(pk=experiment.pk)
    version = ModelVersion.objects.filter(version=experiment.treatment, state=ModelVersion.State.TESTING).first()
    if version is not None and not others.exists():
        registry.restore(version=version, by=by)
