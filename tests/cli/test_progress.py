"""The progress bar: what it shows, and when it does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kmosaic.cli.progress import ImageProgress, ProgressBar, SweepProgress, share_done
from kmosaic.engines import IterationProgress


def iteration(number: int, n_changed: int, restart: int = 0, n_init: int = 1) -> IterationProgress:
    return IterationProgress(restart, n_init, number, 300, 1234.5, n_changed)


def test_share_done_rises_as_labels_settle():
    shares = [share_done(iteration(i, n), 10_000) for i, n in ((1, 10_000), (2, 900), (3, 40), (4, 0))]

    assert shares[0] == pytest.approx(1 / 300)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_share_done_counts_restarts():
    assert share_done(iteration(3, 0, restart=1, n_init=4), 100) == 0.5


def test_sweep_counts_a_fit_by_its_clusters():
    shown = []

    class Bar(ProgressBar):
        def __call__(self, done, total, what):
            shown.append((done, total, what))

    progress = SweepProgress(Bar(quiet=True), 100, (10, 30), 2)
    progress.on_start(30, 1)
    progress.on_iteration(iteration(3, 0))

    assert shown[0] == (0, 80, "k=30 seed=1")
    assert shown[1] == (30, 80, "k=30 seed=1: iteration 3, J 1,234")


def test_images_a_second_are_those_since_it_began(monkeypatch):
    """What was there before an interruption, and another kind of work, do not count."""
    shown, seconds = [], iter([0.0, 0.5, 10.0, 20.0, 22.0])
    monkeypatch.setattr("kmosaic.cli.progress.time.perf_counter", lambda: next(seconds))

    class Bar(ProgressBar):
        def __call__(self, done, total, what):
            shown.append((done, total, what))

    progress = ImageProgress(Bar(quiet=True))
    for done, what in [(1000, "a"), (1010, "a"), (1500, "a"), (8, "b"), (24, "b")]:
        progress(done, 2000, what)

    texts = [what for *_, what in shown]
    assert texts == ["a", "a", "a, 50 images/s", "b", "b, 8 images/s"]


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_only_a_terminal_sees_it(folder, quiet):
    import pty

    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "kmosaic", "fit", "digits", "--clusters", "100", "--n-init", "5"]
    done = subprocess.run(
        [*command, "--labels", "l.csv", *(["--quiet"] if quiet else [])],
        cwd=folder, stdout=subprocess.PIPE, stderr=follower, check=True, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    seen = os.read(leader, 1 << 16) if not quiet else b""
    os.close(leader)

    assert b"\x1b" not in done.stdout
    assert (b"k=100" in seen) is not quiet
