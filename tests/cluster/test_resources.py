"""What a fit costs and how it stops: memory, Ctrl-C, threads, forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.datasets import load_digits

from kmosaic import KMeans


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's peak resident memory")
def test_a_fit_adds_less_than_a_third_of_the_data(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import resource
        import numpy as np
        from kmosaic import KMeans
        from sklearn.datasets import load_digits
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        KMeans(4, random_state=0).fit(load_digits().data.astype(np.uint8))  # whatever a first call loads
        X = np.random.default_rng(0).integers(0, 256, (60_000, 784), dtype=np.uint8)
        before = peak()
        KMeans(256, random_state=0, max_iter=2, n_threads=2).fit(X)
        print((peak() - before) / X.nbytes)
    """)
    script = tmp_path / "fit.py"
    script.write_text(program)
    answer = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert float(answer.stdout) < 1 / 3


@pytest.fixture
def default_sigint() -> Iterator[None]:
    """SIGINT as a terminal has it; started in the background by a script, the tests themselves ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_sigint")
def test_ctrl_c_stops_a_fit() -> None:
    X = np.random.default_rng(0).integers(0, 256, (20_000, 400), dtype=np.uint8)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        KMeans(500, random_state=0).fit(X)
    timer.join()


def test_many_fits_at_once() -> None:
    X = load_digits().data.astype(np.uint8)
    expected = KMeans(10, random_state=0).fit(X).cluster_centers_
    with ThreadPoolExecutor(4) as pool:
        fits = list(pool.map(lambda _: KMeans(10, random_state=0).fit(X).cluster_centers_, range(8)))

    def fit_centers() -> np.ndarray:
        return KMeans(10, random_state=0).fit(X).cluster_centers_

    fits += Parallel(n_jobs=2)(delayed(fit_centers)() for _ in range(2))
    assert all((fit == expected).all() for fit in fits)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_fit() -> None:
    X = load_digits().data.astype(np.uint8)
    KMeans(10, random_state=0, n_threads=2).fit(X)
    child = os.fork()
    if child == 0:
        KMeans(10, random_state=0, n_threads=2).fit(X)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_other_threads_run_during_a_fit() -> None:
    # The GIL is released: a Python thread counts while the core works.
    X = np.random.default_rng(0).integers(0, 256, (20_000, 300), dtype=np.uint8)
    counted, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    KMeans(100, init=X[:100], max_iter=2, n_threads=1).fit(X)
    during = counted[0] - before
    done.set()
    thread.join()
    assert during > 1000
