"""What is replaced, and how it is put back; scripts, pickles, and what scikit-learn keeps doing itself."""

from __future__ import annotations

import logging
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.cluster
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.datasets import load_digits

import kmosaic
from kmosaic.accelerate import is_patched, patching
from kmosaic.accelerate.__main__ import run

X = load_digits().data[:300]


def engines_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the engines that are made."""
    made: list[int] = []
    from kmosaic.engines import in_memory

    original = in_memory.MemoryEngine.__init__

    def counted(self: object, *args: object, **kwargs: object) -> None:
        made.append(1)
        original(self, *args, **kwargs)

    monkeypatch.setattr(in_memory.MemoryEngine, "__init__", counted)
    return made


def test_classes_and_estimators_made_before_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engines_of(monkeypatch)
    before = KMeans(3, n_init=4, random_state=0)
    before.fit(X)
    assert made == []
    kmosaic.patch_sklearn()
    kmosaic.patch_sklearn()
    assert is_patched()
    assert sklearn.cluster.KMeans is KMeans
    before.fit(X)
    assert len(made) == 1  # for all four starts
    kmosaic.unpatch_sklearn()
    assert not is_patched()
    before.fit(X)
    assert len(made) == 1


def test_pickles_do_not_need_kmosaic() -> None:
    for estimator in [KMeans(3), MiniBatchKMeans(3), BisectingKMeans(3)]:
        kmosaic.patch_sklearn()
        model = estimator.fit(X)
        pickled = pickle.dumps(model)
        assert b"kmosaic" not in pickled
        kmosaic.unpatch_sklearn()
        for data in (pickled, pickle.dumps(model)):
            assert (pickle.loads(data).predict(X) == model.labels_).all()


def test_what_is_not_taken_is_left_to_scikit_learn_and_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patching, "_told", set())
    weights = np.where(np.arange(300) % 7 == 0, -0.001, 1.0)
    fit = KMeans(3, init=X[:3], n_init=1)
    expected = fit.fit(X, sample_weight=weights).cluster_centers_
    kmosaic.patch_sklearn()
    with caplog.at_level(logging.DEBUG, "kmosaic.accelerate"):
        assert (fit.fit(X, sample_weight=weights).cluster_centers_ == expected).all()
        fit.fit(X.astype(np.uint8), sample_weight=weights)
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}
    assert len(caplog.messages) == len(set(caplog.messages)) > 0
    assert "egative" in caplog.messages[0]


def test_an_unknown_scikit_learn_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.cluster import _kmeans

    monkeypatch.delattr(_kmeans, "_kmeans_plusplus")
    with pytest.warns(RuntimeWarning, match="_kmeans_plusplus"):
        kmosaic.patch_sklearn()
    assert not is_patched()


SCRIPT = """
import sys
from sklearn.cluster import KMeans
from kmosaic.accelerate import is_patched
if __name__ == "__main__":
    print(is_patched(), sys.argv[-2:], KMeans(2, random_state=0).fit([[0.0], [1.0], [9.0]]).inertia_)
"""


def test_scripts_and_modules_run_patched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "kmosaic.accelerate", "script.py", "--a", "b"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "True ['--a', 'b'] 0.5\n"
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    run(["-m", "script", "c"])
    assert capsys.readouterr().out.endswith("'c'] 0.5\n")
    for wrong in (["none.py"], [], ["-x"], ["-m"]):
        with pytest.raises(SystemExit, match=r"none\.py|usage"):
            run(wrong)


# The whole file is run by `make test-sklearn`.
SUBSET = "kmeans_results or relocat or plusplus_output or scaled_weights or wrong_params or 1_iteration"


def test_scikit_learns_own_tests_pass(tmp_path: Path) -> None:
    theirs = "sklearn.cluster.tests.test_k_means"
    pytest.importorskip(theirs, reason="scikit-learn came without its tests")
    options = ["-q", "-p", "kmosaic.accelerate.pytest_plugin", "-p", "no:cacheprovider", "-k", SUBSET]
    command = [sys.executable, "-m", "pytest", *options, "--pyargs", theirs]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        command, cwd=tmp_path, env=one_thread, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-2000:]
    n_passed = re.search(r"(\d+) passed", result.stdout)
    assert n_passed is not None
    assert int(n_passed[1]) > 50
