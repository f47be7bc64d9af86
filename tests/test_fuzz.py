"""The fuzzer works: fixed seeds pass, what is wrong is found, made small, and can be repeated."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from fuzz import agreement, files, fits, native
from fuzz.__main__ import main, shrunk
from fuzz.oracle import Exact
from fuzz.problems import KINDS, LAYOUTS, problem

from kmosaic import KMeans
from kmosaic.errors import DataError


def test_a_few_fits_and_every_instruction_set() -> None:
    assert main(["--seed", "1", "--cases", "25", "--only", "fits"]) == 0
    assert main(["--seed", "1", "--cases", "2", "--only", "agreement"]) == 0


def test_problems_are_those_of_their_seeds_and_of_every_kind() -> None:
    problems = [problem(seed) for seed in range(200)]
    assert {p.kind for p in problems} == set(KINDS)
    assert {p.layout for p in problems} == set(LAYOUTS)
    assert {p.rows.dtype.name for p in problems} == {"uint8", "uint16", "float32", "float64"}
    assert str(problem(17)) == str(problems[17])


def test_the_oracle_on_a_case_by_hand() -> None:
    exact = Exact(np.array([[0.0], [1.0], [4.0]]), np.array([1.0, 1.0, 2.0]))
    labels = exact.labels(np.array([[0.5], [3.0], [0.5]]))
    assert labels == [0, 0, 1]
    assert exact.means(labels, 3) == [[0.5], [4], None]
    assert exact.inertia(labels, np.array([[0.5], [3.0], [0.5]])) == 2.5


def test_a_wrong_label_is_found_shrunk_and_can_be_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = KMeans.fit

    def wrong(self: KMeans, *args: object, **more: object) -> KMeans:
        model = right(self, *args, **more)
        if len(model.labels_) > 2 and len(model.cluster_centers_) > 1:
            model.labels_ = (model.labels_ + 1) % len(model.cluster_centers_)
        return model

    monkeypatch.setattr(KMeans, "fit", wrong)
    assert main(["--seed", "1", "--cases", "30", "--only", "fits"]) == 1
    shown = capsys.readouterr().out
    assert "--only fits --seed" in shown
    assert "labels" in shown
    failing = next(
        p for p in map(problem, range(99)) if p.rows.size > 40 and p.n_clusters > 2 and p.policy != "error"
    )
    small = shrunk(failing, fits.check)
    assert small.rows.size <= 6


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_damaged_files_and_what_is_said_of_one_that_is_not_refused(tmp_path: Path) -> None:
    assert files.failure(1, 20, tmp_path) is None
    every = {"arrays": files.kinds()["arrays"]}
    kind, name, data = files.case(3, every)
    assert (kind, data) == ("arrays", files.case(3, every)[2])
    assert data != every[kind].files[name]
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY nothing")
    with pytest.raises(DataError):
        every["arrays"].read(tmp_path / "a.npy")


def test_without_clang_the_rest_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(native, "clang", lambda: None)
    assert main(["--seed", "1", "--cases", "1", "--only", "native", "--only", "fits"]) == 0
    shown = capsys.readouterr().out
    assert "left out" in shown
    assert "fits: 1 cases" in shown


def test_every_libfuzzer_target_has_inputs_to_begin_with() -> None:
    folder = native.ROOT / "cpp" / "fuzz"
    assert sorted(path.stem for path in folder.glob("fuzz_*.cpp")) == [
        f"fuzz_{name}" for name in native.TARGETS
    ]
    for name in native.TARGETS:
        assert any((folder / "corpus" / name).iterdir())


def test_a_difference_between_instruction_sets_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(100))
    monkeypatch.setattr(agreement, "_bits", lambda *_: (str(next(numbers)).encode(),))
    with pytest.raises(AssertionError, match="differs"):
        agreement.run(1)
