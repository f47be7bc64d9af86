"""How far the job on a scene has come."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None, str], None]
"""Called with what is done, of how much, and what it is."""


class Telling:
    """Progress of passes over a scene, in words."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self.what = ""

    def on_pass(self, done: int, total: int) -> None:
        """Take note of lines."""
        if self._progress is not None:
            self._progress(done, total, self.what)

    def on_iteration(self, iteration: int, max_iter: int, inertia: float) -> None:
        """Take note of an iteration."""
        self.what = f"iteration {iteration}, J {inertia:,.6g}"
        if self._progress is not None:
            self._progress(iteration, max_iter, self.what)
