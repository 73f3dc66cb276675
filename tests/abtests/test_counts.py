"""`analyze_experiment --counts`: a recorded test, and files that are none."""

import json

import pytest
from django.core.management import CommandError, call_command

RECORDED = {
    "arms": {
        "A": {"emails": 45_000, "verified": 500, "correct": 456},
        "B": {"emails": 5_000, "verified": 500, "correct": 466},
    }
}


def analyse(tmp_path, data, *options):
    file = tmp_path / "counts.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    call_command("analyze_experiment", counts=file, **dict.fromkeys(options, True))


def test_the_recorded_test_does_not_support_deploying(tmp_path, capsys):
    analyse(tmp_path, RECORDED, "json")
    said = json.loads(capsys.readouterr().out)
    assert said["p_value"] == pytest.approx(0.238319, abs=1e-6)
    assert said["interval"] == pytest.approx([-0.013560343, 0.053863925], abs=1e-6)
    assert said["decision"] == "not enough evidence"
    assert said["labels_needed"] == pytest.approx(2_800, rel=0.01)
    low, high = said["always_valid_interval"]
    assert low < said["interval"][0] < said["interval"][1] < high


def test_for_people_it_is_a_few_lines(tmp_path, capsys):
    analyse(tmp_path, RECORDED)
    said = capsys.readouterr().out
    assert "p = 0.238319" in said
    assert "about 2,800 labels an arm settle it" in said


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "is not JSON"),
        ([], "exactly"),
        ({"arms": {"A": {}}}, "exactly"),
        ({"arms": {"A": [], "B": {}}}, r"arm A is \[\]"),
        ({"arms": {"A": {"verified": 5, "correct": 6}, "B": {}}}, "correct ≤ verified"),
        ({"arms": {"A": {"verified": 5, "correct": -1}, "B": {}}}, "correct of arm A is -1"),
        ({"arms": {"A": {"verified": 5, "correct": 4.5}, "B": {}}}, "correct of arm A is 4.5"),
        (RECORDED | {"gain": 2}, "gain is 2; allowed"),
        (RECORDED | {"planned": "many"}, "planned is 'many'; allowed"),
    ],
)
def test_bad_files_are_refused_with_the_field(tmp_path, data, message):
    with pytest.raises(CommandError, match=message):
        analyse(tmp_path, data)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("analyze_experiment", counts=tmp_path / "none.json")
