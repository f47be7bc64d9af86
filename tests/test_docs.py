"""Commands and code in README.md, CONTRIBUTING.md and docs/ do what they say: every page is followed.

On the line before a block, ``<!-- not run: reason -->`` leaves it out, and ``<!-- needs mnist -->`` (or
landsat7-nc, landsat7-bahamas, rasterio, dask) runs it where that is. Blocks of other languages than bash and
python are not run.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmosaic

ROOT = Path(__file__).parents[1]
SCENES = ("landsat7-nc", "landsat7-bahamas")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS = [
    *PAGES,
    *(ROOT / name for name in ("ARCHITECTURE.md", "CHANGELOG.md")),
    *(page for folder in ("benchmarks", "cpp", "src", "tests") for page in (ROOT / folder).rglob("*.md")),
]
MAX_LINE = 120
MAX_FILES_WITHOUT_README = 12
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>bash|python)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


def test_what_search_needs_comes_with_the_site() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    vendored = re.search(r"polyfills: \[(.*iframe-worker.*)\]", settings)
    assert vendored is not None
    assert "IFrameWorker" in (ROOT / "docs" / vendored[1]).read_text(encoding="utf-8")


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
def reader(command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what a reader has: photos, new images, two scenes, and `kmosaic` on the path."""
    rng = np.random.default_rng(0)
    for folder, n_images in (("photos", 12), ("new-images", 4)):
        (tmp_path / folder).mkdir()
        for number in range(n_images):
            pixels = rng.integers(0, 256, (40 + number, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    draw_photo(tmp_path / "photo.jpg")
    if find_spec("rasterio") is not None:
        for name in ("scene.tif", "other.tif"):
            make_scene(tmp_path / name, rng)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(kmosaic.__file__).absolute().parents[1]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw_photo(path: Path) -> None:
    """Ground and sky with some noise."""
    y, x = np.mgrid[:96, :128]
    noise = np.random.default_rng(0).normal(0, 3, (96, 128, 3))
    pixels = np.stack([200 - y, 90 + x, 60 + 2 * (y % 64)], axis=2) + noise
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=95)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=page_name)
@pytest.mark.skipif(os.name == "nt", reason="the blocks are for a POSIX shell")
def test_every_block_of_a_page_runs(page: Path, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {f"needs {name}": data_folder(name) for name in ("mnist", *SCENES)}
    found["needs rasterio"] = None if find_spec("rasterio") is None else ROOT
    libraries = ("dask", "distributed", "rasterio")
    found["needs dask"] = ROOT if all(map(find_spec, libraries)) else None
    names: dict[str, object] = {"__name__": "documentation"}
    if (mnist := found["needs mnist"]) is not None:
        monkeypatch.setenv("KMOSAIC_DATA", str(mnist.parent))
    for scene in filter(None, map(data_folder, SCENES)):
        (reader / scene.name).symlink_to(scene)
    n_run = 0
    for block in blocks_of(page):
        if block.mark.startswith("not run: ") or found.get(block.mark, ROOT) is None:
            continue
        assert block.mark in ("", *found), f"unknown mark {block.mark!r}"
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


def test_lines_are_short() -> None:
    long = []
    for page in DOCUMENTS:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        # Tables and the targets of links have the length they need.
        lines = [re.sub(r"\]\([^)]*\)", "]", line) for line in text.splitlines() if not line.startswith("|")]
        long += [f"{page_name(page)}: {line}" for line in lines if len(line) > MAX_LINE]
    assert long == []


def test_large_folders_say_what_is_in_them() -> None:
    unnamed = []
    for room in ["benchmarks", "cpp", "src/kmosaic"]:
        folders = [ROOT / room, *(path for path in (ROOT / room).rglob("*") if path.is_dir())]
        for folder in folders:
            files = [path.stem for path in folder.iterdir() if path.suffix in (".py", ".cpp", ".hpp")]
            if len(files) <= MAX_FILES_WITHOUT_README:
                continue
            text = (folder / "README.md").read_text(encoding="utf-8")
            # A name such as `test_*` stands for many.
            named = [
                re.escape(name).replace(r"\*", ".*")
                for name in re.findall(r"`([\w*]+)(?:\.hpp|\.py)?`", text)
            ]
            unnamed += [
                folder / f
                for f in files
                if f != "__init__" and not any(re.fullmatch(name, f) for name in named)
            ]
    assert unnamed == []


def test_links_within_the_project_lead_somewhere() -> None:
    for page in PAGES:
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


def data_folder(name: str) -> Path | None:
    """The folder of this name among the real data sets, or None."""
    for folder in (os.environ.get("KMOSAIC_DATA"), ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / name).is_dir():
            return Path(folder) / name
    return None


def make_scene(path: Path, rng: np.random.Generator) -> None:
    """Three bands of patches of ground."""
    import rasterio

    ground = rng.integers(1, 5, (6, 8, 3)).repeat(20, 0).repeat(20, 1) * 50
    bands = (ground + rng.integers(0, 9, ground.shape)).astype(np.uint8)
    grid = {"crs": "EPSG:32618", "transform": rasterio.Affine(30, 0, 500_000, 0, -30, 4_000_000)}
    with rasterio.open(
        path, "w", driver="GTiff", height=120, width=160, count=3, dtype="uint8", **grid
    ) as file:
        file.write(np.moveaxis(bands, 2, 0))
