"""Which kernels run: forced by KMOSAIC_CPU, else the best; and how many threads."""

from __future__ import annotations

import os
import subprocess
import sys

import joblib
import pytest

from kmosaic import _core, show_config
from kmosaic.engines import resolve_n_threads

ASK = "from kmosaic import _core; print(_core.cpu()['variant'], _core.cpu()['reason'], sep='|')"


def ask(cpu: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KMOSAIC_CPU": cpu}
    return subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=False
    )


def test_the_environment_forces_an_instruction_set() -> None:
    for name in [name for name, supported in _core.cpu()["variants"].items() if supported]:
        variant, reason = ask(name).stdout.strip().split("|")
        assert variant == name
        assert "KMOSAIC_CPU" in reason


def test_an_unknown_instruction_set_is_an_error() -> None:
    answer = ask("z80")
    assert answer.returncode != 0
    assert "KMOSAIC_CPU=z80" in answer.stderr


def test_scalar_and_a_vector_set_are_there() -> None:
    variants = _core.cpu()["variants"]
    assert variants["scalar"]
    assert len(variants) > 1


def test_show_config_names_what_runs() -> None:
    config = show_config()
    assert config.instruction_set == _core.cpu()["variant"]
    assert config.instruction_set in str(config)
    assert config.reason in str(config)


def test_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert resolve_n_threads(None) == joblib.cpu_count()
    assert resolve_n_threads(-1) == joblib.cpu_count()
    assert resolve_n_threads(5) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert resolve_n_threads(None) == 1


def test_wrong_numbers_of_threads() -> None:
    for wrong in [0, 1.5, True, "two"]:
        with pytest.raises(ValueError, match="n_threads"):
            resolve_n_threads(wrong)  # type: ignore[arg-type]
