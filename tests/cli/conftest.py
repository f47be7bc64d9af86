"""Running command lines in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import kmosaic
from kmosaic.cli import main

Run = Callable[..., Result]
Fail = Callable[..., str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty; no data folder but one that is empty, too."""
    (tmp_path / "here").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("KMOSAIC_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("KMOSAIC_DEBUG", raising=False)
    # Processes started here run the same package, from any folder.
    monkeypatch.setenv("PYTHONPATH", str(Path(kmosaic.__file__).absolute().parents[1]))
    return tmp_path / "here"


@pytest.fixture
def run() -> Run:
    """Run a command line; it has to succeed."""

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture
def fail() -> Fail:
    """Run a command line that has to fail; the message, which has to be the only line on stderr."""

    def fail(*arguments: str, code: int = 1) -> str:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == code, result.output
        assert isinstance(result.exception, SystemExit)
        assert result.stderr.startswith("kmosaic: error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr

    return fail


@pytest.fixture
def photos(folder: Path) -> Path:
    """A folder of twelve colour images of three sizes."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for number in range(12):
        pixels = rng.integers(0, 256, (20 + number % 3, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number:02}.png")
    return folder / "photos"


@pytest.fixture
def digits_model(folder: Path, run: Run) -> Path:
    """A model of the digits with 12 clusters."""
    run("fit", "digits", "--clusters", "12", "-o", "digits.kmosaic", "--quiet")
    return folder / "digits.kmosaic"
