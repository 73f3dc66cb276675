"""axe finds nothing serious on any page, in light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.desk, pytest.mark.browser]
PAGES = (
    "/inbox/", "/review/", "/review/progress/", "/review/agreement/", "/review/disagreements/", "/accuracy/",
    "/accuracy/emails/", "/experiments/", "/experiments/new/", "/models/",
    "/models/starter/", "/knowledge/", "/knowledge/1/", "/knowledge/search/", "/knowledge/macros/", "/knowledge/figures/",
    "/retraining/", "/imports/", "/settings/", "/settings/people/", "/settings/taxonomy/", "/settings/taxonomy/1/",
    "/settings/queues/", "/settings/audit/", "/experiments/longer-texts/", "/retraining/1/",
)  # fmt: skip
COMPARED = """
from django.utils import timezone
from abtests.models import Experiment, Outcome, Phase
from classifier.models import ModelVersion, Retraining, TrainingRun
now, starter = timezone.now(), ModelVersion.objects.get()
e = Experiment.objects.create(name="Longer texts", slug="longer-texts", mode="split", control="starter", treatment="new",
    status="rollout", started_at=now, departments=["hr"])
Phase.objects.create(experiment=e, number=1, share=0.1, planned=400, trouble="B fails to load.", started_at=now, ended_at=now)
stage = Phase.objects.create(experiment=e, number=2, share=0.5, started_at=now)
Outcome.objects.bulk_create(Outcome(phase=stage, arm=arm, subject=f"{arm}{k}", metric="error", value=float(arm == "B"))
    for arm in "AB" for k in range(90))
found = dict(n=2390, only_old=100, only_new=290, old=0.85, new=0.93, difference=0.08, interval=[0.068, 0.092], p=1e-9)
run = TrainingRun.objects.create(name="monthly", status="done", version=starter, started_at=now, ended_at=now)
Retraining.objects.create(pk=1, run=run, decision="kept", sentence="Kept current.", compared_with=starter, comparison=found)
"""
BAD = ("serious", "critical")


def findings(page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found if v["impact"] in BAD]


@pytest.fixture(params=["light", "dark"])
def page(request, browser, desk):
    """An admin's page without the policy that would keep axe out."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme=request.param, bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(f"{desk.url}/login/")
    yield page
    context.close()


@pytest.fixture(scope="module")
def compared(desk):
    """A test that is rolled out, and a retraining that was decided."""
    desk.manage("shell", "-v0", "-c", COMPARED)


def test_axe_finds_nothing_serious(page, desk, compared):
    found = {"/login/": findings(page)}
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.keyboard.press("Enter")
    page.wait_for_selector(".rail")
    for path in PAGES:
        page.goto(desk.url + path)
        page.wait_for_load_state("networkidle")
        found[path] = findings(page)
    page.goto(f"{desk.url}/inbox/?status=ready")
    page.keyboard.press("j")
    page.wait_for_selector("#draft-form")
    for key, dialog in (("w", "#forward-dialog"), ("c", "#correct-dialog"), ("?", "#help")):
        page.keyboard.press(key)
        page.wait_for_selector(f"{dialog}[open]")
        found[f"inbox, {dialog}"] = findings(page)
        page.keyboard.press("Escape")
    assert {path: some for path, some in found.items() if some} == {}
