"""kmosaic quantize."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from kmosaic.cli import main
from kmosaic.colours import Palette


@pytest.fixture
def photo(folder: Path) -> Path:
    y, x = np.mgrid[:48, :64]
    picture = np.stack([4 * x, 5 * y, 255 - 3 * x], axis=2) + np.random.default_rng(0).integers(
        0, 16, (48, 64, 3)
    )
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / "photo.png")
    return folder / "photo.png"


@pytest.mark.usefixtures("photo")
def test_a_photo_and_everything_beside_it(run, folder):
    result = run(
        "quantize", "photo.png", "--colors", "6", "-o", "out.png", "--swatches", "strip.png", "--palette-out",
        "p.gpl", "--json", "p.json", "--labels", "labels.png", "--report", "page.html",
    )  # fmt: skip
    with Image.open(folder / "out.png") as out, Image.open(folder / "labels.png") as labels:
        assert out.mode == "P"
        assert out.size == (64, 48)
        assert (np.asarray(labels) == np.asarray(out)).all()
    data = json.loads((folder / "p.json").read_text())
    palette = Palette.read(folder / "p.gpl")
    assert [entry["hex"] for entry in data["colors"]] == list(palette.hex)
    assert Palette.read(folder / "strip.png").hex == palette.hex
    assert sum(entry["share"] for entry in data["colors"]) == pytest.approx(1, abs=1e-5)
    assert f"{data['mse']:.1f}" in result.stdout
    assert f"{data['ssimulacra2']:.1f}" in result.stdout
    page = (folder / "page.html").read_text()
    assert all(code in page for code in palette.hex)
    assert "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.usefixtures("photo")
def test_the_same_bytes_again_with_other_threads(run, folder):
    for number, threads in enumerate(("1", "3")):
        run("quantize", "photo.png", "-k", "9", "-o", f"{number}.png", "--threads", threads)
    assert (folder / "0.png").read_bytes() == (folder / "1.png").read_bytes()


@pytest.mark.usefixtures("photo")
def test_quality_finds_the_colours(run, fail):
    assert "Written" in run("quantize", "photo.png", "--quality", "50", "-o", "out.png").stdout
    assert "out of reach" in fail("quantize", "photo.png", "--quality", "99.99", "-o", "never.png")
    assert not Path("never.png").exists()
    fail("quantize", "photo.png", "--quality", "50", "--colors", "3", "-o", "never.png", code=2)


@pytest.mark.usefixtures("photo")
def test_palette_with_extra_colours(run, folder):
    Palette([[255, 0, 0], [0, 0, 255]]).save(folder / "brand.ase")
    run("quantize", "photo.png", "--palette", "brand.ase", "-o", "two.png")
    run(
        "quantize",
        "photo.png",
        "--palette",
        "brand.ase",
        "--extra",
        "5",
        "-o",
        "seven.png",
        "--dither",
        "none",
    )
    with Image.open(folder / "two.png") as two, Image.open(folder / "seven.png") as seven:
        assert len(two.getcolors()) <= 2
        assert 2 < len(seven.getcolors()) <= 7


def test_a_folder_with_sub_folders_and_bad_files(folder, photos):
    (photos / "more").mkdir()
    (photos / "00.png").rename(photos / "more" / "00.png")
    (photos / "01.png").rename(photos / "01.data")
    (photos / "bad.png").write_bytes(b"\x89PNG no more")
    (photos / "notes.txt").write_text("no picture")
    result = CliRunner().invoke(main, ["quantize", "photos", "-k", "5", "-o", "out", "--jobs", "2"])
    assert result.exit_code == 0, result.output
    assert "skipped" in result.stderr
    assert "bad.png: " in result.stderr
    assert "notes.txt: no PNG, JPEG" in result.stderr
    found = sorted(str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*.png"))
    assert found == sorted(["more/00.png", *(f"{number:02}.png" for number in range(1, 12))])


@pytest.mark.usefixtures("photos")
def test_one_palette_for_a_folder(run, folder):
    run("quantize", "photos", "-k", "7", "-o", "out", "--shared-palette", "--format", "webp")
    colours = set()
    for path in (folder / "out").iterdir():
        with Image.open(path) as image:
            colours |= {tuple(color) for color in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()}
    assert len(colours) == 7


def test_streams(photo):
    given = photo.read_bytes()
    result = CliRunner().invoke(main, ["quantize", "-", "-k", "4", "-o", "-"], input=given)
    assert result.exit_code == 0, result.output
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert "SSIMULACRA2" in result.stderr


def test_an_animation_stays_one(run, folder):
    frames = [
        Image.fromarray(np.random.default_rng(s).integers(0, 256, (9, 9, 3), dtype=np.uint8)) for s in (0, 1)
    ]
    frames[0].save(folder / "in.webp", save_all=True, append_images=frames[1:], duration=70, lossless=True)
    run("quantize", "in.webp", "-k", "8", "-o", "out.gif")
    with Image.open(folder / "out.gif") as out:
        assert out.n_frames == 2


def test_never_larger_unless_told(run, folder):
    flat = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8)[:, None, None], (1, 64, 3)))
    flat.save(folder / "in.png", optimize=True)
    size = (folder / "in.png").stat().st_size
    run("quantize", "in.png", "-k", "40", "-o", "out.png")
    assert (folder / "out.png").stat().st_size <= size
    run("quantize", "in.png", "-k", "40", "-o", "larger.png", "--allow-larger")
    with Image.open(folder / "larger.png") as larger:
        assert larger.mode == "P"


def test_a_given_palette_is_kept_with_its_names(run, folder):
    """Its colours are in the picture, though the original is smaller; names go where the palette goes."""
    ramp = np.zeros((64, 64, 3), np.uint8)
    ramp[..., 0] = np.arange(40, 104)[:, np.newaxis]
    Image.fromarray(ramp).save(folder / "in.png", optimize=True)
    names = ("Red brand", "Wine", "Rust")
    Palette([[60, 0, 0], [40, 0, 0], [90, 0, 0]], names=names).save(folder / "brand.gpl")
    run("quantize", "in.png", "--palette", "brand.gpl", "-o", "out.png", "--palette-out", "out.gpl")
    used = Palette.read(folder / "out.gpl")
    with Image.open(folder / "out.png") as out:
        assert {color for _, color in out.convert("RGB").getcolors()} == set(
            map(tuple, used.colors[:, :3].tolist())
        )
    assert (folder / "out.png").stat().st_size > (folder / "in.png").stat().st_size
    known = dict(zip(("#3c0000", "#280000", "#5a0000"), names, strict=True))
    assert used.names == tuple(known[code] for code in used.hex)
    assert set(used.names) == set(names)
    run(
        "quantize", "in.png", "--palette", "brand.gpl", "--extra", "2", "-o", "more.png", "--palette-out",
        "more.gpl",
    )  # fmt: skip
    more = Palette.read(folder / "more.gpl")
    assert more.names == tuple(known.get(code, code) for code in more.hex)
    assert set(names) < set(more.names)


def test_fewer_colours_than_asked_are_said(folder):
    Image.new("RGB", (5, 5), "red").save(folder / "red.png")
    result = CliRunner().invoke(main, ["quantize", "red.png", "-k", "9", "-o", "out.png", "--allow-larger"])
    assert "1 colour, fewer than 9" in result.stderr
    assert "1 picture smaller than 64 x 64 pixels" in result.stderr
    Image.new("RGB", (64, 64), "red").save(folder / "large.png")
    result = CliRunner().invoke(main, ["quantize", "large.png", "-k", "9", "-o", "out.png", "--force"])
    assert result.exit_code == 0, result.output
    assert "smaller than" not in result.stderr


def test_what_cannot_be_is_one_line(fail, folder, photo):
    (folder / "short.png").write_bytes(photo.read_bytes()[:900])
    (folder / "none.gpl").write_text("GIMP Palette\n")
    (folder / "there.png").write_bytes(b"")
    assert "short.png" in fail("quantize", "short.png", "-o", "out.png")
    assert "missing.png" in fail("quantize", "missing.png", "-o", "out.png")
    assert "must end in" in fail("quantize", "photo.png", "-o", "out.jpg")
    assert "exists" in fail("quantize", "photo.png", "-o", "there.png")
    assert "0 colours" in fail("quantize", "photo.png", "--palette", "none.gpl", "-o", "out.png")
    assert "read from" in fail("quantize", "photo.png", "-o", "photo.png", "--force")
    assert "must end in" in fail("quantize", "photo.png", "--palette-out", "p.doc")
    assert "nothing to write" in fail("quantize", "photo.png", code=2)
    fail("quantize", "photo.png", "-k", "300", "-o", "out.png", code=2)
    fail("quantize", "photo.png", "--extra", "3", "-o", "out.png")
    assert not (folder / "out.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_interrupted_in_a_batch(folder):
    """The files that are there are whole, and not all are."""
    (folder / "many").mkdir()
    random = np.random.default_rng(0)
    for number in range(60):
        Image.fromarray(random.integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(
            folder / "many" / f"{number}.png"
        )
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import os, sys\nfrom kmosaic.cli import main\nq = sys.modules['kmosaic.cli.quantize']\n"
        "write = q._write\n"
        "def told(*args):\n    done = write(*args)\n    print('written', flush=True)\n    return done\n"
        "q._write = told\n"
        "main(['quantize', 'many', '-k', '64', '-o', 'out'], prog_name='kmosaic')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in error
    written = list((folder / "out").iterdir())
    assert 1 <= len(written) < 60
    for path in written:
        assert path.suffix == ".png"
        with Image.open(path) as image:
            image.load()
