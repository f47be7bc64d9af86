"""Commands and code in README.md, CONTRIBUTING.md and docs/ do what they say: every page is followed.

On the line before a block, ``<!-- not run: reason -->`` leaves it out, and ``<!-- needs mnist -->`` runs it
where MNIST is. Blocks of other languages than bash and python are not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmosaic

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>bash|python)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its code, and the mark on the line before."""

    language: str
    code: str
    mark: str


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page that can be run, in order."""
    text = page.read_text(encoding="utf-8")
    return [Block(m["language"], m["code"], m["mark"] or "") for m in _BLOCK.finditer(text)]


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what a reader has: photos of unlike sizes, new images, and `kmosaic` on the path."""
    rng = np.random.default_rng(0)
    for folder, n_images in (("photos", 12), ("new-images", 4)):
        (tmp_path / folder).mkdir()
        for number in range(n_images):
            pixels = rng.integers(0, 256, (40 + number, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    command = tmp_path / "bin" / "kmosaic"
    command.parent.mkdir()
    # Not the script that pip made: this one runs the same package as the tests.
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kmosaic "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(kmosaic.__file__).absolute().parents[1]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=page_name)
@pytest.mark.skipif(os.name == "nt", reason="the blocks are for a POSIX shell")
def test_every_block_of_a_page_runs(page: Path, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist = mnist_folder()
    names: dict[str, object] = {"__name__": "documentation"}
    n_run = 0
    for block in blocks_of(page):
        if block.mark.startswith("not run: ") or (block.mark == "needs mnist" and mnist is None):
            continue
        assert block.mark in ("", "needs mnist"), f"unknown mark {block.mark!r}"
        if mnist is not None:
            monkeypatch.setenv("KMOSAIC_DATA", str(mnist.parent))
        n_run += 1
        if block.language == "python":
            exec(compile(block.code, page_name(page), "exec"), names)
        else:
            run_in_shell(block.code, reader)
    if n_run == 0:
        pytest.skip("every block of this page is marked as not to be run")


def test_the_pages_do_have_blocks_to_run() -> None:
    run = [block for page in PAGES for block in blocks_of(page) if not block.mark.startswith("not run")]

    assert len([block for block in run if block.language == "bash"]) >= 8
    assert len([block for block in run if block.language == "python"]) >= 8


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)

    missing = [target for target in _LINK.findall(text) if not (page.parent / target).exists()]

    assert missing == []


def run_in_shell(code: str, folder: Path) -> None:
    """Run a block as a reader would who stops at the first command that fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


def mnist_folder() -> Path | None:
    """The folder of MNIST's files among the real data sets, or None."""
    for folder in (os.environ.get("KMOSAIC_DATA"), ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / "mnist").is_dir():
            return Path(folder) / "mnist"
    return None
