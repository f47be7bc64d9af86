"""One progress bar on stderr, while data is read and clusterings are fitted; none where nobody looks."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kmosaic.text import whole

if TYPE_CHECKING:
    from kmosaic.engines import IterationProgress
    from kmosaic.evaluate import SweepRun


class ProgressBar:
    """A bar that goes away when the work is done; nothing at all when quiet, or when stderr is no terminal.

    Called with (done, total, what), it is the progress that readers and downloads report to.
    """

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr, markup=False, emoji=False, highlight=False),
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("reading", total=None)
        self._complete = False

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Show ``done`` of ``total``, and ``what`` it is. After all of something, something else begins."""
        if self._complete:
            self.start_over(what, total)
        self._complete = total is not None and done >= total
        self._progress.update(self._task, completed=done, total=total, description=what)

    def start_over(self, what: str, total: float | None = None) -> None:
        """Begin another piece of work: the remaining time is estimated anew."""
        # A task that once had a total cannot lose it again.
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=total)
        self._complete = False


class ImageProgress:
    """A bar of images that says how many a second: from the first call on, whatever was done before it."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar
        self._what = ""
        self._from = (0.0, 0)

    def __call__(self, done: int, total: int | None, what: str) -> None:
        now = time.perf_counter()
        if what != self._what:
            self._what, self._from = what, (now, done)
        start, before = self._from
        rate = f", {(done - before) / (now - start):,.0f} images/s" if now - start > 1 else ""
        self._bar(done, total, what + rate)


class FitProgress:
    """What a fit's callback shows: iteration, inertia, and about how far it has come."""

    def __init__(self, bar: ProgressBar, n_samples: int, what: str) -> None:
        self._bar = bar
        self._n_samples = n_samples
        self._what = what
        bar.start_over(what, total=1000)

    def __call__(self, progress: IterationProgress) -> None:
        text = f"{self._what}: {_iteration_text(progress)}"
        self._bar(int(1000 * share_done(progress, self._n_samples)), 1000, text)


class SweepProgress:
    """The same for a sweep, in which a fit counts as much as it has clusters: that is how its time grows."""

    def __init__(self, bar: ProgressBar, n_samples: int, n_clusters: tuple[int, ...], n_seeds: int) -> None:
        self._bar = bar
        self._n_samples = n_samples
        self._total = sum(n_clusters) * n_seeds
        self._done = 0
        self._running = (0, 0)
        bar.start_over("fitting", total=self._total)

    def on_start(self, n_clusters: int, seed: int) -> None:
        self._running = (n_clusters, seed)
        self._bar(self._done, self._total, self._what())

    def on_iteration(self, progress: IterationProgress) -> None:
        within = share_done(progress, self._n_samples) * self._running[0]
        text = f"{self._what()}: {_iteration_text(progress)}"
        self._bar(int(self._done + within), self._total, text)

    def on_run(self, run: SweepRun) -> None:
        self._done += run.n_clusters
        self._bar(self._done, self._total, self._what())

    def _what(self) -> str:
        n_clusters, seed = self._running
        return f"k={n_clusters} seed={seed}"


def share_done(progress: IterationProgress, n_samples: int) -> float:
    """Estimate how much of a fit is done, 0..1: the number of labels that change falls about geometrically.

    >>> from kmosaic.engines import IterationProgress
    >>> share_done(IterationProgress(0, 2, 5, 300, 1.0, 0), 1000)
    0.5
    """
    n_changed = n_samples if progress.n_changed is None else min(progress.n_changed, n_samples)
    falling = 1.0 - math.log1p(n_changed) / math.log1p(n_samples)
    share = min(1.0, max(falling, progress.iteration / progress.max_iter))
    return (progress.restart + share) / progress.n_init


def _iteration_text(progress: IterationProgress) -> str:
    restart = f"start {progress.restart + 1}/{progress.n_init}, " if progress.n_init > 1 else ""
    return f"{restart}iteration {progress.iteration}, J {whole(progress.inertia)}"
