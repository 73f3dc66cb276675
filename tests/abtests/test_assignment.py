"""Assignment is stateless, uniform and nested."""

import pytest

from abtests.assignment import assign


def arms(share: float) -> list[str]:
    return [assign(f"thread-{i}", "exp", [("A", 1 - share), ("B", share)]) for i in range(10_000)]


def test_the_shares_are_kept():
    assert arms(0.1).count("B") == pytest.approx(1_000, abs=120)


def test_raising_a_share_moves_units_in_and_none_out():
    before, after = arms(0.1), arms(0.5)
    assert all(b == "B" for a, b in zip(before, after, strict=True) if a == "B")


def test_salts_are_independent():
    both = sum(
        assign(f"t{i}", "x", [("A", 0.5), ("B", 0.5)]) == assign(f"t{i}", "y", [("A", 0.5), ("B", 0.5)])
        for i in range(4_000)
    )
    assert both == pytest.approx(2_000, abs=150)


@pytest.mark.parametrize("weights", [[("A", 0.5)], [("A", 1.2), ("B", -0.2)]])
def test_bad_shares_are_refused(weights):
    with pytest.raises(ValueError, match="adding up to 1"):
        assign("u", "s", weights)
