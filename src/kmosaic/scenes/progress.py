"""Progress of the work on a scene."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None, str], None]
"""Called with what is done, the total, and the stage."""


class ProgressReporter:
    """Reports passes and iterations, with the ``stage`` they belong to."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.stage = ""

    def on_pass(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(done, total, self.stage)

    def on_iteration(self, iteration: int, max_iter: int, inertia: float) -> None:
        """Report an iteration, which becomes the stage of the next pass."""
        self.stage = f"iteration {iteration}, J {inertia:,.6g}"
        if self._progress is not None:
            self._progress(iteration, max_iter, self.stage)
