"""The benchmarks' logic: which runs are made, medians, ratios, verdicts; no test of speed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.__main__ import main
from benchmarks.data import DataOptions, MissingData, distinct_rows
from benchmarks.libraries import LIBRARIES, OneDal, Task, is_peer
from benchmarks.measure import Result, inertia
from benchmarks.schedule import (
    Options,
    Run,
    Schedule,
    contenders,
    libraries_of_round,
    n_clusters,
    narrowed_out,
    write_inputs,
)
from benchmarks.seeds import lines, measured, peers
from benchmarks.table import outcomes, report, steepest, summaries
from benchmarks.workloads import TARGETS, WORKLOADS, Target

import reference

ROOT = Path(__file__).parents[1]
FACTS = {
    "date": "2026-01-01",
    "processor": "a processor",
    "threads": 2,
    "memory_gb": 8,
    "instruction_set": "avx2",
    "system": "Linux",
    "python": "3.11",
    "versions": {"kmosaic": "1"},
    "load": 0.1,
}


def run(library: str, seconds: float, turn: int = 0, **result: object) -> Run:
    """A run of mnist-256 that took so long."""
    made = Result(seconds, **{"n_iter": 100, "inertia": 1000.0, "data_bytes": 1000, **result})
    return Run("mnist-256", library, turn, "", "ok", result=made)


def test_seconds_are_medians_over_rounds() -> None:
    rows = summaries([run("kmosaic", s, turn) for turn, s in enumerate([1.0, 9.0, 2.0])])
    assert [(row.seconds, row.spread, row.n_runs) for row in rows] == [(2.0, (1.0, 9.0), 3)]


def test_the_ratio_is_to_the_fastest_peer() -> None:
    runs = [run("kmosaic", 1.0), run("kmosaic, AVX2 only", 2.0), run("FAISS", 30.0), run("SuperKMeans", 24.0)]
    speed, avx2 = outcomes(runs, [target for target in TARGETS if target.workload == "mnist-256"])[::2]
    assert (speed.value, speed.reached, speed.peer and speed.peer.library) == (24.0, True, "SuperKMeans")
    assert (avx2.value, avx2.reached) == (12.0, True)


def test_variants_of_kmosaic_are_no_peers() -> None:
    assert [name for name in LIBRARIES if not is_peer(name)] == [
        "kmosaic",
        "kmosaic, AVX2 only",
        "kmosaic, KMeans stopped there",
    ]
    (outcome,) = outcomes([run("kmosaic", 1.0), run("kmosaic, AVX2 only", 2.0)], [Target("mnist-256", 1)])
    assert (outcome.value, outcome.reached) == (None, False)
    assert "no peer" in outcome.verdict


def test_a_worse_inertia_is_told() -> None:
    for peer_inertia, n_iter, verdict in [
        (1000.0, 100, "20"),
        (1000.0 / (1 + 2e-6), 100, "20, but its inertia is 2e-06 worse"),
        (1000.0 / (1 + 2e-6), 101, "20"),
        (1000.0 / 1.003, 101, "20, but its inertia is 0.003 worse"),
    ]:
        runs = [run("kmosaic", 1.0), run("FAISS", 20.0, inertia=peer_inertia, n_iter=n_iter)]
        assert outcomes(runs, [Target("mnist-256", 20)])[0].verdict == verdict


def test_a_target_missed_is_told() -> None:
    (outcome,) = outcomes([run("kmosaic", 1.0), run("FAISS", 19.9)], [Target("mnist-256", 20)])
    assert outcome.verdict == "19.9 (not reached)"


def test_memory_is_a_part_of_the_data() -> None:
    for added, reached in [(299, True), (301, False)]:
        (outcome,) = outcomes([run("kmosaic", 1.0, added_bytes=added)], [Target("mnist-256", 0.3, "memory")])
        assert (outcome.value, outcome.reached) == (added / 1000, reached)


def test_an_inertia_not_reached_counts_for_nothing() -> None:
    runs = [run("kmosaic", 1.0, note="did not reach it"), run("FAISS", 20.0)]
    assert outcomes(runs, [Target("mnist-256", 5)])[0].verdict.startswith("not measured")


def test_the_steepest_growth_is_found_in_any_order() -> None:
    seconds = {"n=100": 1.0, "n=1000": 9.0, "n=10000": 99.0}
    rows = summaries(
        [replace(run("kmosaic", seconds[point]), point=point) for point in reversed(list(seconds))]
    )
    assert steepest(rows) == pytest.approx(1.1)
    assert steepest(rows[:1]) is None


def test_only_peers_near_the_fastest_are_run_again() -> None:
    assert contenders({"a": 1.0, "b": 1.5, "c": 1.51}) == {"a", "b"}
    assert contenders({"a": 10.0, "b": 11.5, "c": 11.6}) == {"a", "b"}
    assert contenders({"a": 20.0}) == contenders({}) == set()
    runs = [run("kmosaic", 1.0), run("FAISS", 9.0), run("SuperKMeans", 4.0), run("scikit-learn elkan", 5.0)]
    again = libraries_of_round(WORKLOADS["mnist-256"], 1, runs)
    assert again == ["kmosaic", "scikit-learn elkan", "SuperKMeans"]
    long = [run("kmosaic", 1.0), run("FAISS", 9.0)]
    assert [libraries_of_round(WORKLOADS["mnist-256"], turn, long) for turn in (1, 2)] == [
        ["kmosaic", "FAISS"],
        [],
    ]


def test_peers_far_behind_are_not_run_on_what_is_much_the_same() -> None:
    seconds = {"FAISS": 2.0, "SuperKMeans": 5.0, "scikit-learn elkan": 5.1, "kmosaic": 50.0}
    runs = [replace(run(name, value), workload="satellite-uint8-6") for name, value in seconds.items()]
    out = {name: narrowed_out(WORKLOADS["satellite-uint8-4"], name, runs) for name in seconds}
    assert [name for name, reason in out.items() if reason] == ["scikit-learn elkan"]
    for name in ("mnist-256", "satellite-uint8-6"):
        assert narrowed_out(WORKLOADS[name], "scikit-learn elkan", runs) == ""


def test_every_target_names_a_workload_and_libraries_that_take_part() -> None:
    for target in TARGETS:
        assert set(target.libraries) <= set(WORKLOADS[target.workload].libraries)
    for workload in WORKLOADS.values():
        for name in workload.libraries:
            assert workload.kind in LIBRARIES[name].kinds


def test_every_workload_builds(shared_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "kodak").mkdir(parents=True)
    for folder in shared_data.iterdir():
        if folder.name != "kodak":
            (data / folder.name).symlink_to(folder)
    for photo in sorted((shared_data / "kodak").glob("*.png"))[:2]:
        (data / "kodak" / photo.name).symlink_to(photo)
    options = DataOptions(data, scale=1e-9)
    made = {make: (make(options), make(options)) for make in {work.rows for work in WORKLOADS.values()}}
    for name, workload in WORKLOADS.items():
        rows, again = made[workload.rows]
        write_inputs(tmp_path, rows, n_clusters(workload, len(rows)), converged=workload.kind == "predict")
        centers = np.load(tmp_path / "centers.npy")
        assert len(np.load(tmp_path / "rows.npy")) == 2000, name
        assert len(np.unique(centers, axis=0)) == len(centers) == min(workload.k, 200)
        assert np.array_equal(rows, again)


def test_absent_data_are_skipped_with_a_reason(tmp_path: Path) -> None:
    schedule = Schedule(Options(DataOptions(tmp_path)))
    schedule.run([WORKLOADS["photos-16"]])
    assert {run.status for run in schedule.runs} == {"skipped"}
    assert "no folder kodak/" in report(schedule.runs, FACTS, 1.0)
    with pytest.raises(MissingData, match="no MNIST"):
        WORKLOADS["mnist-256"].rows(DataOptions(tmp_path))


def test_data_of_scikit_learn_stand_in(tmp_path: Path) -> None:
    options = DataOptions(tmp_path, scale=1e-9, stand_ins=True)
    assert WORKLOADS["mnist-256"].rows(options).shape == (1797, 64)
    assert WORKLOADS["photos-16"].rows(options).shape == (2000, 3)


def test_inertia_is_that_of_the_oracle() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (500, 7), dtype=np.uint8)
    centers = distinct_rows(rows, 9)
    labels = reference.nearest(rows, centers)
    expected = float(np.square(rows - centers[labels]).sum())
    assert inertia(rows, centers) == pytest.approx(expected, rel=1e-14)


def test_every_library_does_the_same_work() -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 256, (400, 8), dtype=np.uint8)
    centers = distinct_rows(rows, 5)
    expected = None
    for library in LIBRARIES.values():
        if library.missing() or "fit" not in library.kinds:
            continue
        # What geokmeans returns before it has converged are no means.
        task = Task(5, centers, 100 if library.name == "geokmeans" else 6)
        found = inertia(rows, library.fitter(library.prepare(rows), task)().centers)
        expected = expected or found
        assert found == pytest.approx(expected, rel=1e-6 if library.takes_centers else 0.2), library.name


def test_a_hidden_fallback_is_told() -> None:
    library = OneDal()
    if library.missing():
        pytest.skip(library.missing())
    rows = np.random.default_rng(2).random((8, 2), dtype=np.float32)
    centers = rows[:8].astype(np.float64)
    assert library.fit(rows, Task(8, centers, 2)).note.endswith("scikit-learn")
    assert library.fit(rows, Task(2, centers[:2], 2)).note == ""


def test_a_run_over_the_limit_is_told_and_not_made_again(tmp_path: Path) -> None:
    options = Options(DataOptions(tmp_path, scale=1e-9, stand_ins=True), rounds=2, limit_seconds=0)
    schedule = Schedule(options)
    schedule.run([replace(WORKLOADS["mnist-10"], libraries=("kmosaic", "scikit-learn lloyd"))])
    assert [(run.library, run.status) for run in schedule.runs] == [
        ("kmosaic", "over limit"),
        ("scikit-learn lloyd", "skipped"),
    ]
    assert schedule.runs[0].reason == "> 0 s"
    assert "did not run" in schedule.runs[1].reason


def test_a_small_run_from_end_to_end_and_its_resumption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "runs.json"
    asked = ["--only", "seeds", "--quick", "--scale", "0.001", "--data-dir", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks", *asked, "--json", str(kept)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "| seeds | scikit-learn lloyd |" in done.stdout
    page = json.loads(kept.read_text())
    assert {run["status"] for run in page["runs"]} == {"ok"}
    assert all(run["result"]["seconds"] > 0 and run["result"]["inertia"] > 0 for run in page["runs"])
    assert main([*asked, "--resume", str(kept)]) == 0
    assert capsys.readouterr().out == done.stdout


def test_seeds_are_for_libraries_that_go_another_way() -> None:
    found = {name: {library.name for library in peers(workload)} for name, workload in WORKLOADS.items()}
    assert found["mnist-256"] <= {"SuperKMeans"}
    assert "scikit-learn lloyd" in found["defaults"] & found["seeds"] & found["minibatch"]
    assert not found["predict"]


def test_each_seed_is_compared_with_the_mean_of_kmosaic() -> None:
    rows = np.random.default_rng(0).integers(0, 200, (400, 9), dtype=np.uint8)
    for name in ("defaults", "seeds", "minibatch"):
        only = ("kmosaic", "scikit-learn lloyd")
        workload = replace(WORKLOADS[name], k=4, libraries=only)
        ours, theirs = measured(workload, rows, 3)
        assert (ours.library, theirs.library) == only
        assert len(set(ours.values)) == len(set(theirs.values)) == 3
        mean = np.mean(ours.values)
        assert f"{np.mean(theirs.values) / mean - 1:+.1e}" in list(lines([ours, theirs]))[1]
        assert f"{ours.values[2] / mean - 1:+.1e} |" in next(lines([ours, theirs]))
