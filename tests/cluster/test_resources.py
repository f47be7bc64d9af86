"""What a fit costs and how it stops: memory, Ctrl-C, threads, forks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from kmosaic import KMeans, MiniBatchKMeans, _core


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


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's peak resident memory")
@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_a_fit_of_low_precision_makes_no_copy_of_the_rows(dtype: str, tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import resource
        import numpy as np
        from kmosaic import KMeans
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        random = np.random.default_rng(0)
        X = np.empty((10_000, 1280), "{dtype}")
        for part in np.split(X, 50):
            part[:] = random.integers(-60, 60, part.shape) + 30 * random.integers(0, 2, (len(part), 1))
        KMeans(4, max_iter=2, random_state=0).fit(X[:300])  # whatever a first call loads
        before = peak()
        KMeans(10, random_state=0, max_iter=25, n_threads=2).fit(X)
        print((peak() - before) / X.nbytes)
    """)
    script = tmp_path / "fit.py"
    script.write_text(program)
    answer = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert float(answer.stdout) < 0.35


@pytest.fixture
def default_sigint() -> Iterator[None]:
    """SIGINT as a terminal has it; started in the background by a script, the tests themselves ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def long_rows() -> np.ndarray:
    """Rows without clusters to find: the work on them in these tests takes minutes."""
    return np.random.default_rng(0).integers(0, 256, (20_000, 400), dtype=np.uint8)


def n_system_threads() -> int:
    return len(psutil.Process().threads())


def interrupt_soon() -> threading.Timer:
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@pytest.mark.usefixtures("default_sigint")
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(
    "model",
    [
        KMeans(500, init="random", n_init=10_000),
        KMeans(2, max_iter=1, n_init=1_000_000),
        KMeans(20_000, max_iter=1, n_init=100),
        MiniBatchKMeans(500, max_iter=1_000_000, batch_size=20_000, max_no_improvement=None),
    ],
    ids=["steps", "sums", "seeding", "minibatch"],
)
def test_ctrl_c_stops_a_fit_and_leaves_nothing(model: KMeans | MiniBatchKMeans, n_threads: int) -> None:
    X = long_rows()
    unfitted = clone(model).set_params(random_state=0, n_threads=n_threads)
    KMeans(2, max_iter=1, n_threads=3).fit(X)  # whose threads wait for more work
    before = n_system_threads()
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(X)
    timer.join()
    patience = time.monotonic() + 10
    while n_system_threads() > before and time.monotonic() < patience:
        time.sleep(0.01)  # the timer's own takes a moment to end
    assert n_system_threads() <= before
    with pytest.raises(NotFittedError):
        unfitted.predict(X)


@pytest.mark.usefixtures("default_sigint")
def test_ctrl_c_leaves_an_earlier_fit_as_it_was() -> None:
    X = long_rows()
    model = KMeans(500, init="random", n_init=1, max_iter=1, random_state=0).fit(X[:1000])
    before = {name: np.copy(value) for name, value in vars(model).items() if name.endswith("_")}
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        model.set_params(n_init=10_000, max_iter=300).fit(X)
    timer.join()
    after = {name: value for name, value in vars(model).items() if name.endswith("_")}
    assert after.keys() == before.keys()
    assert all((after[name] == before[name]).all() for name in before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failure_leaves_a_stream_as_it_was(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is made, and then something fails: the next one goes on as if there had been none."""
    X = load_digits().data[:500].astype(np.uint8)
    model, twin = (MiniBatchKMeans(10, random_state=0).partial_fit(X) for _ in range(2))

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(model, "_finish", fail)
        with pytest.raises(KeyboardInterrupt):
            getattr(model, method)(X[::-1, :20] if method == "fit" else X[::-1])
    model.partial_fit(X[100:])
    twin.partial_fit(X[100:])
    assert model.n_features_in_ == 64
    assert model.inertia_history_.tobytes() == twin.inertia_history_.tobytes()
    assert model.cluster_centers_.tobytes() == twin.cluster_centers_.tobytes()


@pytest.mark.usefixtures("default_sigint")
def test_ctrl_c_stops_within_one_call() -> None:
    """And only a call that lets go of the GIL lets the other thread run that sends the signal."""
    X = np.ones((20_000, 1000), dtype=np.float32)
    centers = np.random.default_rng(0).random((5000, 1000))
    labels = np.full(len(X), -1, dtype=np.int32)
    timer = interrupt_soon()
    finished = []
    with pytest.raises(KeyboardInterrupt):  # 1e11 products
        finished.append(_core.assign(X, centers, labels, 1))
    timer.join()
    assert not finished


@pytest.mark.usefixtures("default_sigint")
def test_a_fit_in_another_thread_outlives_ctrl_c() -> None:
    """Python answers signals in the main thread: a fit elsewhere goes on, and is the same."""
    X = long_rows()[:2000]
    expected = KMeans(50, random_state=0).fit(X)
    fitting, signalled = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        fitting.set()
        signalled.wait(60)

    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(KMeans(50, random_state=0, callback=wait).fit, X)
        assert fitting.wait(60)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signalled.set()
        assert fit.result(60).inertia_ == expected.inertia_


def test_a_program_may_end_amid_a_daemons_fit() -> None:
    program = textwrap.dedent("""
        import threading
        import numpy as np
        from kmosaic import KMeans
        X = np.random.default_rng(0).integers(0, 256, (20_000, 400), dtype=np.uint8)
        fitting = threading.Event()
        model = KMeans(500, init="random", n_init=10_000, random_state=0, callback=lambda _: fitting.set())
        threading.Thread(target=model.fit, args=(X,), daemon=True).start()
        fitting.wait()
    """)
    for _ in range(2):
        answer = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
        )
        assert (answer.returncode, answer.stderr) == (0, "")


def test_many_fits_at_once() -> None:
    X = load_digits().data.astype(np.uint8)
    expected = KMeans(10, random_state=0).fit(X).cluster_centers_
    with ThreadPoolExecutor(8) as pool:
        fits = list(pool.map(lambda _: KMeans(10, random_state=0).fit(X).cluster_centers_, range(8)))

    def fit_centers() -> np.ndarray:
        return KMeans(10, random_state=0).fit(X).cluster_centers_

    for backend in ("loky", "threading"):
        fits += Parallel(n_jobs=2, backend=backend, timeout=60)(delayed(fit_centers)() for _ in range(2))
    assert len(fits) == 12
    assert all((fit == expected).all() for fit in fits)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
ignores_fork_warning = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def centers_of(X: np.ndarray) -> np.ndarray:
    return KMeans(10, random_state=0, n_threads=2).fit(X).cluster_centers_


@needs_fork
@ignores_fork_warning
def test_a_forked_child_can_fit() -> None:
    X = load_digits().data.astype(np.uint8)
    expected = centers_of(X)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for centers in pool.map_async(centers_of, [X] * 4).get(timeout=60):
            assert (centers == expected).all()


@needs_fork
@ignores_fork_warning
def test_a_child_forked_amid_another_threads_fit_can_fit() -> None:
    X = load_digits().data.astype(np.uint8)
    done = threading.Event()

    def keep_fitting() -> None:
        while not done.is_set():
            centers_of(X)

    thread = threading.Thread(target=keep_fitting)
    thread.start()
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=centers_of, args=(X,)) for _ in range(5)]
    try:
        for child in children:
            child.start()
            child.join(60)
        assert [child.exitcode for child in children] == [0] * 5
    finally:
        done.set()
        thread.join()
        for child in children:
            child.kill()


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


@pytest.mark.skipif(sys.platform == "win32", reason="no getrusage")
def test_few_long_rows_take_little_more_than_their_sums_and_centres() -> None:
    """Two rows of 4 million bytes: 64 MB each for sums, centres and the centres they started from."""
    script = """
import resource
import numpy as np
from kmosaic import KMeans
X = (np.arange(8_000_000) % 251).astype(np.uint8).reshape(2, -1)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
KMeans(2, random_state=0, n_threads=1).fit(X[:, :100].copy())
before = peak()
KMeans(2, random_state=0, n_threads=1).fit(X)
print(peak() - before)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(found.stdout) * unit < 320e6


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize(("n_features", "dtype"), [(3, "uint8"), (64, "float32"), (200, "float64")])
def test_a_limit_on_memory_ends_a_fit_and_never_the_process(n_features: int, dtype: str) -> None:
    """With more and more memory to add, threads fail to start, then to work, and at last a fit succeeds."""
    # A child for each limit: the imports are paid once, and no child has threads before its fit. Nor does one
    # collect the parent's objects at its end, which would be most of its work.
    program = textwrap.dedent(f"""
        import gc, os, resource
        import numpy as np
        from kmosaic import KMeans
        X = np.random.default_rng(0).integers(0, 255, (20_000, {n_features})).astype("{dtype}")
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        gc.freeze()
        for megabytes in (0, 4, 12, 24, 28, 36, 48, 64, 700):
            if child := os.fork():
                print(megabytes, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
                continue
            resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20, -1))
            try:
                print(len(KMeans(40, random_state=0, n_threads=8, max_iter=4).fit(X).labels_), end=" ")
            except MemoryError:
                print("MemoryError", end=" ")
            break
    """)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert len(lines) == 9
    assert all(code == "0" for *_, code in lines), (lines, ended.stderr[-500:])
    assert {answer for answer, *_ in lines} <= {"20000", "MemoryError"}
    assert lines[-1][0] == "20000"
