"""How many threads run, and who decides: the caller, the environment, the system, threadpoolctl."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from kmosaic import KMeans, show_config
from kmosaic.engines import processors, resolve_n_threads, thread_count
from kmosaic.engines.processors import available_processors, cgroup_limit


def run(program: str) -> str:
    """What a Python of its own prints; silence for a minute would be a deadlock."""
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.fixture(autouse=True)
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing, on a machine of four."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("KMOSAIC_NUM_THREADS", raising=False)
    monkeypatch.setattr("kmosaic.engines.threads.available_processors", lambda: 4)


def test_all_processors_unless_something_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert thread_count().number == 4
    assert "processors" in thread_count().reason
    assert [resolve_n_threads(n) for n in (1, 7, -1, -2, -9)] == [1, 7, 4, 3, 1]
    assert thread_count(7).reason == "n_threads=7"
    monkeypatch.setenv("OMP_NUM_THREADS", " 3,2")
    assert thread_count().number == 3
    assert thread_count().reason == "OMP_NUM_THREADS"
    assert [resolve_n_threads(n) for n in (7, -1, -2)] == [7, 3, 2]


def test_openmp_never_asks_for_more_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("64", "0", "-1", "many", ""):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert thread_count().number == 4
        assert "processors" in thread_count().reason


def test_kmosaics_own_variable_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("KMOSAIC_NUM_THREADS", "6")
    assert thread_count().number == 6
    assert thread_count().reason == "KMOSAIC_NUM_THREADS"
    assert [resolve_n_threads(n) for n in (2, -1)] == [2, 6]
    monkeypatch.setenv("KMOSAIC_NUM_THREADS", "")
    assert thread_count().reason == "OMP_NUM_THREADS"


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ["0", "-1", "1.5", "all", "\u0663", "9" * 5000]:
        monkeypatch.setenv("KMOSAIC_NUM_THREADS", wrong)
        with pytest.raises(ValueError, match="KMOSAIC_NUM_THREADS="):
            KMeans(1).fit([[0], [1]])
        assert kmosaic_info()["num_threads"] == 4  # others' questions are answered all the same


def test_show_config_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.search("threads: 4 .*processors", str(show_config()))
    monkeypatch.setenv("KMOSAIC_NUM_THREADS", "3")
    assert re.search("threads: 3 .*KMOSAIC_NUM_THREADS", str(show_config()))
    with threadpool_limits(2):
        assert re.search("threads: 2 .*threadpoolctl", str(show_config()))


def kmosaic_info() -> dict[str, object]:
    """threadpoolctl's entry for kmosaic, of which there is one, whoever else calls a library _core."""
    [info] = [info for info in threadpool_info() if info["user_api"] == "kmosaic"]
    return info


def test_threadpoolctl_lists_kmosaic() -> None:
    info = kmosaic_info()
    assert info["num_threads"] == 4
    assert info["version"] == show_config().version
    assert Path(str(info["filepath"])).parent.name == "kmosaic"
    assert json.loads(json.dumps(info)) == info


def test_threadpoolctl_limits_and_lets_go() -> None:
    for user_api in [None, "kmosaic"]:
        with threadpool_limits(2, user_api=user_api):
            assert [resolve_n_threads(n) for n in (None, -1, 7, 1)] == [2, 2, 2, 1]
            with threadpool_limits(1, user_api=user_api):
                assert resolve_n_threads(None) == kmosaic_info()["num_threads"] == 1
            assert resolve_n_threads(7) == 2
        assert [resolve_n_threads(n) for n in (None, 7)] == [4, 7]
        with threadpool_limits(4, user_api=user_api):  # as many as there are: a limit nevertheless
            assert resolve_n_threads(7) == 4
        assert resolve_n_threads(7) == 7


def test_limits_of_other_libraries_are_not_ours() -> None:
    with threadpool_limits(1, user_api="blas"):
        assert resolve_n_threads(None) == 4


def test_the_main_threads_limit_holds_in_a_pool() -> None:
    def ask(pool: ThreadPoolExecutor) -> int:
        return pool.submit(resolve_n_threads, 7).result(60)

    with ThreadPoolExecutor(1) as pool:
        with threadpool_limits(2):
            assert ask(pool) == 2
        assert ask(pool) == 7


def test_a_limit_of_another_thread_stays_there() -> None:
    entered, left = threading.Event(), threading.Event()

    def limited() -> tuple[int, int]:
        with threadpool_limits(1):
            entered.set()
            assert left.wait(60)
            within = resolve_n_threads(7)
        return within, resolve_n_threads(7)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(limited)
        assert entered.wait(60)
        # Limits that overlap without one lying within the other: neither is left behind.
        with threadpool_limits(3):
            assert resolve_n_threads(7) == 3
            left.set()
            assert answer.result(60) == (1, 3)
        assert resolve_n_threads(7) == 7
        assert pool.submit(resolve_n_threads, 7).result(60) == 7


def test_a_limit_changes_no_bit() -> None:
    X = np.random.default_rng(0).normal(size=(500, 6))
    expected = KMeans(7, random_state=0, n_threads=3).fit(X)
    with threadpool_limits(1):
        limited = KMeans(7, random_state=0, n_threads=3).fit(X)
    assert limited.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()
    assert limited.inertia_ == expected.inertia_


def test_joblibs_workers_share_the_processors() -> None:
    answer = run("""
        from joblib import Parallel, cpu_count, delayed

        def ask():
            from kmosaic.engines import thread_count
            return thread_count().number

        print(cpu_count(), *Parallel(n_jobs=2)(delayed(ask)() for _ in range(4)))
    """)
    n_processors, *numbers = map(int, answer.split())
    assert numbers == [max(n_processors // 2, 1)] * 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity to set")
def test_affinity_counts() -> None:
    answer = run("""
        import os
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        from kmosaic.engines import thread_count
        print(thread_count().number, thread_count().reason, sep=": ")
    """)
    assert re.match("1: .*processors", answer)


V2 = {"proc/self/cgroup": "0::/user.slice/job\n", "sys/fs/cgroup/user.slice/job/cgroup.procs": ""}
V1 = {"proc/self/cgroup": "9:memory:/m\n4:cpu,cpuacct:/docker/x\n", "sys/fs/cgroup/m/cpu.max": "1 1"}
NESTED = {
    **V2,
    "sys/fs/cgroup/user.slice/cpu.max": "200000 100000",
    "sys/fs/cgroup/user.slice/job/cpu.max": "500000 100000",
}
QUOTA_V1 = {
    **V1,
    "sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us": "250000\n",
    "sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
}


def test_quotas_of_cgroups(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, str], int | None]] = [
        ({}, None),
        (V2, None),
        ({**V2, "sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({**V2, "sys/fs/cgroup/cpu.max": "150000 100000"}, 2),
        ({**V2, "sys/fs/cgroup/user.slice/job/cpu.max": "100000 100000"}, 1),
        (NESTED, 2),
        ({**V2, "sys/fs/cgroup/cpu.max": "nonsense"}, None),
        ({**V2, "proc/self/cgroup": "0::/../other\n", "sys/fs/other/cpu.max": "1 1"}, None),
        (V1, None),
        (QUOTA_V1, 3),
    ]
    for case, (files, limit) in enumerate(cases):
        for name, text in files.items():
            path = tmp_path / str(case) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert cgroup_limit(tmp_path / str(case)) == limit, files


def test_the_least_of_affinity_and_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: dict[int | None, int] = {None: joblib.cpu_count(), 1: 1, 10_000: joblib.cpu_count()}
    for limit, expected in limits.items():
        quota: Callable[[], int | None] = lambda limit=limit: limit  # noqa: E731
        monkeypatch.setattr(processors, "cgroup_limit", quota)
        assert available_processors() == expected


def test_a_sub_interpreter_is_told_why_not() -> None:
    """Before anything is imported there that would hang; and the main interpreter goes on."""
    answer = run("""
        import warnings
        warnings.simplefilter("ignore")
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        code = "\\n".join([
            "for name in ('kmosaic', 'kmosaic._core', 'kmosaic.cluster', 'kmosaic.engines.threads'):",
            "    try:",
            "        __import__(name)",
            "    except ImportError as error:",
            "        print(error, flush=True)",
        ])
        sub = interpreters.create()
        interpreters.run_string(sub, code)
        interpreters.destroy(sub)
        from kmosaic import KMeans
        print(KMeans(1).fit([[0], [2]]).inertia_)
    """)
    *refusals, inertia = answer.splitlines()
    assert len(refusals) == 4
    assert len(set(refusals)) == 1
    assert "sub-interpreter" in refusals[0]
    assert inertia == "2.0"
