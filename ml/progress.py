"""How far long work is: told to a function that draws a bar, fills a page, or does nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tqdm import tqdm


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of a phase; `figures` (loss, subtype_accuracy, …) where they were measured now."""

    phase: str
    done: int
    total: int
    figures: dict[str, float] = field(default_factory=dict)


Watch = Callable[[Progress], object]


def unwatched(progress: Progress) -> None:
    """Nobody looks."""


class Bar:
    """A watcher that draws a bar a phase on the terminal."""

    def __init__(self) -> None:
        self._phase = ""
        self._bar: tqdm | None = None

    def __call__(self, progress: Progress) -> None:
        if self._bar is None or progress.phase != self._phase:
            self.close()
            self._phase, self._bar = progress.phase, tqdm(total=progress.total, desc=progress.phase)
        self._bar.total = progress.total
        self._bar.update(progress.done - self._bar.n)
        if progress.figures:
            self._bar.set_postfix({k: f"{v:.4g}" for k, v in progress.figures.items()})

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
