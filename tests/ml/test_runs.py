"""Fine-tuning runs: killed, out of memory, out of disk, gone wrong; and sweeps that go on."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ml import checkpoints, finetuning
from ml.errors import DataError, Diverged, TrainingError
from ml.finetuning import FineTuneSettings, eval_steps, fine_tune
from ml.model import DualHeadClassifier
from ml.runtimes.torch_runtime import token_batches
from ml.sweep import parse_variable, plan, sweep
from tests.ml.samples import SPACE, SPLITS, save_tiny_deberta

ROOT = Path(__file__).parents[2]
SETTINGS = FineTuneSettings(epochs=8, learning_rate=5e-3, warmup_steps=2, eval_steps=3, patience=50)
KILLED_AT = """
import os, signal, sys
from pathlib import Path
from tests.ml.samples import SPACE, SPLITS
from tests.ml.test_runs import SETTINGS
from ml.finetuning import fine_tune

def watch(p):
    if p.phase == "training" and p.done == 13:
        os.kill(os.getpid(), signal.SIGKILL)

fine_tune(SPLITS, encoder=sys.argv[1], space=SPACE, output=Path(sys.argv[2]), settings=SETTINGS, watch=watch)
"""
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_tiny_deberta(tmp_path_factory.mktemp("deberta"))


def steps_of(encoder, output, settings=SETTINGS):
    seen = []
    trained = fine_tune(
        SPLITS, encoder=encoder, space=SPACE, output=output, settings=settings,
        watch=lambda p: seen.append(p.done) if p.phase == "training" and not p.figures else None,
    )  # fmt: skip
    return trained, seen


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(encoder, tmp_path):
    whole, _ = steps_of(encoder, tmp_path / "whole")
    killed = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", KILLED_AT, encoder, str(killed)], cwd=ROOT, capture_output=True)
    assert done.returncode == -9, done.stderr
    (killed / "checkpoint-99").mkdir()  # as a kill in the middle of writing leaves it
    resumed, seen = steps_of(encoder, killed)
    assert seen[0] == 13 and seen[-1] == 24
    assert not (killed / "checkpoint-99").exists()
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    assert [row["step"] for row in resumed.notes["history"]] == [row["step"] for row in whole.notes["history"]]


def test_other_settings_start_afresh(encoder, tmp_path):
    short = replace(SETTINGS, epochs=2)
    steps_of(encoder, tmp_path / "run", short)
    _, seen = steps_of(encoder, tmp_path / "run", replace(short, seed=1))
    assert seen[0] == 1


def test_at_most_three_checkpoints_stay(encoder, tmp_path):
    steps_of(encoder, tmp_path / "run")
    assert 1 <= len(list((tmp_path / "run").glob("checkpoint-*"))) <= 3


def test_out_of_memory_halves_the_batch_and_says_so(encoder, tmp_path, monkeypatch, caplog):
    forward = DualHeadClassifier.forward

    def small_gpu(self, input_ids, *args, **kwargs):
        if self.training and len(input_ids) > 3:
            raise torch.OutOfMemoryError("no room")
        return forward(self, input_ids, *args, **kwargs)

    monkeypatch.setattr(DualHeadClassifier, "forward", small_gpu)
    trained, seen = steps_of(encoder, tmp_path / "run")
    assert "batch size 4, accumulated to 8" in caplog.text and "batch size 2, accumulated to 8" in caplog.text
    assert seen[-1] == 24, "as many steps as with the whole batch"
    assert trained.notes["history"]


def test_a_full_disk_is_said_and_the_run_goes_on_from_the_last_whole_checkpoint(encoder, tmp_path, monkeypatch):
    import errno

    save = finetuning._DualHeadTrainer._save_checkpoint

    def full(self, model, trial, *args, **kwargs):
        if self.state.global_step > 6:
            (Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}").mkdir()
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(self, model, trial, *args, **kwargs)

    monkeypatch.setattr(finetuning._DualHeadTrainer, "_save_checkpoint", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*goes on from checkpoint-6"):
        steps_of(encoder, tmp_path / "run")
    monkeypatch.undo()
    assert steps_of(encoder, tmp_path / "run")[1][0] == 7


def test_a_loss_that_is_no_number_stops_the_run(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("ml.model.dual_loss", lambda *a: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(TrainingError, match=r"the loss became nan at step 3; a lower learning rate than 0.005"):
        steps_of(encoder, tmp_path / "run")


def test_evaluation_steps_scale_with_the_data():
    assert eval_steps(FineTuneSettings(), 100) == 20
    assert eval_steps(FineTuneSettings(), 8_000) == 500


@pytest.mark.parametrize("wrong", [{"schedule": "wavy"}, {"epochs": 0}, {"learning_rate": -1.0}])
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(DataError, match=f"{next(iter(wrong))} is .*; allowed"):
        FineTuneSettings(**wrong)


def test_batches_fit_the_budget_and_hold_every_row_once():
    lengths = [5, 500, 20, 20, 3, 400, 7]
    batches = list(token_batches(lengths, 600))
    assert sorted(i for b in batches for i in b) == list(range(7))
    assert all(len(b) * max(lengths[i] for i in b) <= 600 for b in batches)
    assert len(batches) < 5
    assert [len(b) for b in token_batches([900, 5], 600)] == [1, 1], "a row above the budget goes alone"


def test_a_sweep_makes_a_table_and_a_picture_and_goes_on(encoder, tmp_path):
    name, values = parse_variable("learning_rate=1e-3,5e-3")
    base = FineTuneSettings(epochs=2, warmup_steps=1, eval_steps=3, learning_rate=1e-3)
    trials, trained = plan({name: values, "epochs": (1, 2)}, base), []
    assert len(trials) == 3 and len(plan({name: values, "epochs": (1, 2)}, base, grid=True)) == 4

    def train(splits, **kwargs):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(kwargs["settings"])
        return fine_tune(splits, **kwargs)

    def run():
        return sweep(SPLITS, trials, encoder=encoder, space=SPACE, output=tmp_path / "sweep", train=train)

    with pytest.raises(KeyboardInterrupt):
        run()
    kept, trained[:] = list(trained), []
    rows = run()
    assert len(trained) == 1 and {*kept, *trained} == set(trials)
    assert len(rows) == 3 and rows[0]["subtype_accuracy"] == max(r["subtype_accuracy"] for r in rows)
    table = (tmp_path / "sweep" / "sweep.md").read_text()
    assert table.startswith("| learning_rate | epochs | subtype |") and table.count("\n| ") == 3
    assert (tmp_path / "sweep" / "sweep.png").stat().st_size > 5_000
    (tmp_path / "sweep" / "trials.json").write_text(
        json.dumps({"data_sha256": "other", "encoder": encoder, "rows": []})
    )
    with pytest.raises(DataError, match="a sweep over other data"):
        run()


def test_a_trial_that_diverges_is_a_row_and_the_sweep_goes_on(encoder, tmp_path):
    good, bad = SETTINGS, replace(SETTINGS, learning_rate=1e6)

    def train(splits, *, settings, output, **kwargs):
        if settings == bad:
            raise Diverged("the loss became nan at step 3")
        return fine_tune(splits, settings=replace(settings, epochs=1), output=output, **kwargs)

    rows = sweep(SPLITS, [bad, good], encoder=encoder, space=SPACE, output=tmp_path / "sweep", train=train)
    assert [row["settings"]["learning_rate"] for row in rows] == [5e-3, 1e6]
    assert rows[1]["subtype_accuracy"] is None and "nan at step 3" in rows[1]["error"]
    assert "| diverged |" in (tmp_path / "sweep" / "sweep.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"), [("depth=3", "'depth' cannot be swept; allowed"), ("epochs=many", "epochs is 'many'")]
)
def test_a_variable_that_cannot_be_swept_is_named(text, message):
    with pytest.raises(DataError, match=message):
        parse_variable(text)


def test_a_run_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "trials.json").write_text("{}")
    with pytest.raises(TrainingError, match="something else than a training run"):
        checkpoints.prepare_run(tmp_path / "sweep", {}, [])
    assert (tmp_path / "sweep" / "trials.json").is_file()
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        checkpoints.prepare_run(tmp_path / "file" / "run", {}, [])
