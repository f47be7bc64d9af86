"""``kmosaic segment``: maps from a command line, its words, and its errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kmosaic.scenes import load_scene_model
from scene_files import patches, write_raster

from .conftest import Fail, Run

rasterio = pytest.importorskip("rasterio")

COMMAND = ("segment", "scene.tif", "--clusters", "4", "-o", "map.tif")


@pytest.fixture(autouse=True)
def scene(folder: Path) -> Path:
    """A scene of three bands with a corner missing."""
    values = patches(80, 70)
    values[:10, :30] = 0
    return write_raster(folder / "scene.tif", values, nodata=0, descriptions=("blue", "green", "red"))


def test_a_map_is_drawn_and_told_of(run: Run, folder: Path) -> None:
    result = run(*COMMAND)

    lines = result.stdout.splitlines()
    assert re.match("scene.tif: 5,300 pixels.*3 bands.*4 classes.*300 pixels.*missing.* J ", lines[0])
    assert re.search(r"converged .*\d+ iterations? .*\d+ on all", lines[0])
    assert lines[1].split() == ["class", "name", "pixels", "share", "hectares"]
    assert len(lines) == 8
    assert sum(int(line.split()[3].replace(",", "")) for line in lines[2:6]) == 5300
    assert lines[6] == "Written: map.tif"
    assert re.match("Next: .*map.tif.*--model FILE", lines[7])
    assert sorted(path.name for path in folder.iterdir()) == ["map.tif", "map.tif.aux.xml", "scene.tif"]


def test_nothing_that_is_read_is_overwritten(fail: Fail, folder: Path) -> None:
    for read, written in [
        (("--mask", "page.html"), ("--report", "page.html")),
        (("--names", "names.csv"), ("--statistics", "names.csv")),
        (("--names", "names.csv"), ("--model", "names.csv")),
    ]:
        (folder / read[1]).write_text("class,name\n1,water\n")

        message = fail(*COMMAND, *read, *written, "--force")

        assert re.search(f"{read[1]}.*overwritten", message)
        assert (folder / read[1]).read_text() == "class,name\n1,water\n"
        assert not (folder / "map.tif").exists()


def test_one_file_a_band_is_the_same_scene(run: Run, folder: Path) -> None:
    values = patches(80, 70)
    values[:10, :30] = 0
    names = [f"B{band}.tif" for band in range(3)]
    for band, name in enumerate(names):
        write_raster(folder / name, values[..., band : band + 1], nodata=0)

    told = run("segment", *names, "--clusters", "4", "-o", "bands.tif", "--quiet").stdout
    run(*COMMAND, "--quiet")

    with rasterio.open("bands.tif") as ours, rasterio.open("map.tif") as theirs:
        np.testing.assert_array_equal(ours.read(), theirs.read())
    assert re.match("B0.tif and 2 more: 5,300 pixels.*3 bands", told)


def test_classes_go_from_one_scene_to_another(run: Run, folder: Path) -> None:
    write_raster(folder / "other.tif", patches(40, 50, seed=1), descriptions=("blue", "green", "red"))
    run(*COMMAND, "--model", "scene.kmosaic", "--statistics", "classes.csv", "--scale", "standard")
    Path("names.csv").write_text("class,name\n2,Moor & wood\n", encoding="utf-8")

    advice = run(
        *COMMAND, "--model", "scene.kmosaic", "--scale", "standard", "--bands", "1,2,3", "--force"
    ).stdout
    told = run(
        "segment", "other.tif", "--model", "scene.kmosaic", "--names", "names.csv", "-o", "other-map.tif"
    ).stdout

    assert "kmosaic segment OTHER-SCENE --model scene.kmosaic --bands 1,2,3 -o OTHER-MAP" in advice
    assert re.search("other.tif: 2,000 pixels.*3 bands.*4 classes.*model", told)
    assert "Moor & wood" in told
    assert "<Category>Moor &amp; wood</Category>" in Path("other-map.tif.aux.xml").read_text(encoding="utf-8")
    model = load_scene_model("scene.kmosaic")
    assert model.command == (
        "kmosaic segment scene.tif --clusters 4 -o map.tif --model scene.kmosaic --scale standard "
        "--bands 1,2,3 --force"
    )


def test_the_table_of_statistics_is_a_table_of_names(run: Run) -> None:
    run(*COMMAND, "--statistics", "classes.csv", "-q")
    text = Path("classes.csv").read_text(encoding="utf-8").replace("class 3", "Sand")
    Path("classes.csv").write_text(text, encoding="utf-8")

    named = run(*COMMAND, "--names", "classes.csv", "--force").stdout

    assert "Sand" in named


def test_every_output_can_be_asked_for_at_once(run: Run, folder: Path) -> None:
    result = run(
        *COMMAND,
        *("--second-best", "second.tif", "--distances", "distances.tif", "--statistics", "classes.json"),
        *("--model", "m.kmosaic", "--majority", "3", "--sieve", "4", "--cog", "--nodata", "255"),
        *("--rgb", "red,green,1", "--memory", "2GB", "--threads", "2", "--seed", "3", "--max-iter", "9"),
    )

    written = "map.tif, second.tif, distances.tif, classes.json, m.kmosaic"
    assert f"Written: {written}" in result.stdout
    assert all((folder / name).is_file() for name in written.split(", "))
    assert load_scene_model("m.kmosaic").seed == 3
    with rasterio.open("map.tif") as dataset:
        assert dataset.nodata == 255


def test_a_sample_says_what_it_is_worth(run: Run) -> None:
    told = run(*COMMAND, "--sample", "1000").stdout

    assert re.search("sample.*1,000 pixels.*J is of all", told)
    assert "% from the" in told


def test_a_scene_without_a_crs_is_counted_in_pixels(run: Run, folder: Path) -> None:
    write_raster(folder / "plain.tif", patches(), crs=None)

    told = run("segment", "plain.tif", "--clusters", "3", "-o", "map.tif").stdout

    assert "pixels only" in told
    assert "hectares" not in told


def test_many_classes_are_not_listed(run: Run) -> None:
    told = run("segment", "scene.tif", "--clusters", "41", "-o", "map.tif").stdout

    assert re.search("table.*40.*--statistics", told)


def test_command_lines_that_make_no_sense(fail: Fail) -> None:
    for arguments, words in [
        (("-o", "map.tif"), "--model FILE"),
        (("--clusters", "3"), "'-o'"),
        (("--clusters", "0", "-o", "m.tif"), "at least 1"),
        (("--clusters", "3", "-o", "m.tif", "--majority", "4"), "--majority 4"),
        (("--clusters", "3", "-o", "m.tif", "--memory", "much"), "512MB"),
        (("--clusters", "3", "-o", "m.tif", "--memory", "0GB"), "memory"),
        (("--clusters", "3", "-o", "m.tif", "--bands", "1,,2"), "commas"),
        (("--model", "m", "-o", "m.tif", "--seed", "1", "--scale", "none"), "--scale, --seed"),
    ]:
        message = fail("segment", "scene.tif", *arguments, code=2)

        assert words in message
        assert "see " in message
        assert not Path("m.tif").exists()


def test_what_cannot_be_done_is_one_line(fail: Fail) -> None:
    for arguments, words in [
        (("--bands", "nir"), "'nir'"),
        (("--bands", "4"), "band 4"),
        (("--mask", "gone.tif"), "gone.tif"),
        (("--rgb", "1,2"), "three bands"),
        (("--memory", "1MB"), " MB "),
        (("--names", "gone.csv"), "gone.csv"),
        (("--statistics", "classes.xls"), ".json"),
        (("--second-best", "second.png"), "second.png must end in .tif"),
        (("--distances", "distances.npy"), "distances.npy must end in .tif"),
        (("--model", "m.tif"), "--model m.tif"),
        (("--second-best", "map.tif"), "two outputs"),
        (("--model", "gone/m.kmosaic"), "gone is"),
    ]:
        assert words in fail(*COMMAND, *arguments)
        assert not Path("map.tif").exists()


def test_a_map_is_no_other_kind_of_file_than_a_tiff(fail: Fail, folder: Path) -> None:
    for name in ["map.png", "map.jpg", "map.npy", "map", "map.tif.gz"]:
        message = fail("segment", "gone.tif", "--clusters", "4", "-o", name)

        assert f"{name} must end in .tif" in message
        assert [path.name for path in folder.iterdir()] == ["scene.tif"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_is_refused_wherever_a_file_is_read(command: Path, folder: Path) -> None:
    """In a process of its own, which would wait for good."""
    os.mkfifo(folder / "pipe")
    for arguments in [
        ("segment", "pipe", "--clusters", "4"),
        ("segment", "scene.tif", "--clusters", "4", "--mask", "pipe"),
        ("segment", "scene.tif", "--clusters", "4", "--names", "pipe"),
        ("segment", "scene.tif", "--model", "pipe"),
    ]:
        line = [command, *arguments, "-o", "map.tif"]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)

        assert done.returncode == 1
        assert done.stderr.startswith("kmosaic: error: pipe")
        assert done.stderr.count("\n") == 1


def test_without_rasterio_the_line_that_installs_it_is_told(
    fail: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)

    assert "pip install 'kmosaic[scenes]'" in fail(*COMMAND)


def test_a_missing_band_file_is_named(fail: Fail) -> None:
    assert "gone.tif" in fail("segment", "scene.tif", "gone.tif", "--clusters", "3", "-o", "map.tif")


def test_a_truncated_scene_leaves_no_map(fail: Fail, folder: Path) -> None:
    whole = Path("scene.tif").read_bytes()
    (folder / "half.tif").write_bytes(whole[: len(whole) // 2])

    assert "half.tif cannot be" in fail("segment", "half.tif", "--clusters", "3", "-o", "map.tif")
    assert sorted(path.name for path in folder.iterdir()) == ["half.tif", "scene.tif"]


def test_fewer_distinct_pixels_than_clusters(fail: Fail, folder: Path) -> None:
    values = np.repeat(np.arange(1, 3, dtype=np.uint8), 50).reshape(10, 10, 1)
    write_raster(folder / "flat.tif", values)

    assert "2" in fail("segment", "flat.tif", "--clusters", "3", "-o", "map.tif")
    assert not Path("map.tif").exists()


def test_outputs_that_exist_are_kept(run: Run, fail: Fail) -> None:
    run(*COMMAND, "-q")
    assert "map.tif exists" in fail(*COMMAND)
    Path("map.tif").unlink()
    assert "map.tif.aux.xml exists" in fail(*COMMAND)


def test_models_of_images_and_of_scenes_are_told_apart(run: Run, fail: Fail, digits_model: Path) -> None:
    run(*COMMAND, "--model", "scene.kmosaic", "-q")

    assert "`kmosaic segment" in fail("show", "scene.kmosaic")
    assert "scene's classes" in fail("predict", "scene.kmosaic", "digits")
    message = fail("segment", "scene.tif", "--model", str(digits_model), "-o", "other.tif")
    assert re.search("kmosaic predict.*kmosaic show", message)


def test_a_model_of_other_bands_is_refused(run: Run, fail: Fail) -> None:
    run(*COMMAND, "--model", "m.kmosaic", "-q")

    other = ("segment", "scene.tif", "--model", "m.kmosaic", "-o", "other.tif")
    assert "--bands 3,2,1" in fail(*other, "--bands", "red,green,blue")
    assert "has 2 bands (blue, green)" in fail(*other, "--bands", "1,2")


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits or signals")
def test_a_full_disk_leaves_nothing(folder: Path) -> None:
    rng = np.random.default_rng(0)
    write_raster(folder / "large.tif", rng.integers(1, 255, (600, 600, 2), dtype=np.uint8))
    code = """
import resource, os
from kmosaic.cli import main
for limit in [60_000, 3_000]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        main()
    except SystemExit as end:
        print(end.code, *sorted(os.listdir()), flush=True)
"""

    done = subprocess.run(
        [sys.executable, "-c", code, "segment", "large.tif", "--clusters", "9", "-o", "map.tif"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines()[-2:] == ["1 large.tif scene.tif"] * 2, done.stderr
    assert done.stderr.count("kmosaic: error: map.tif ") == 2
    assert done.stderr.count("\n") == 2 or sys.platform != "linux"


def test_a_report_is_written(run: Run, folder: Path) -> None:
    result = run(*COMMAND, "--report", "report.html", "--isodata", "50,30,20", "--quiet")

    assert "Written: map.tif, report.html" in result.stdout
    assert "Started from 4, in " in result.stdout
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "kmosaic segment scene.tif --clusters 4 -o map.tif --report report.html" in page
    assert "clusters=4, isodata=50,30,20" in page


def test_a_report_that_cannot_be_is_refused_before_any_work(fail: Fail, folder: Path) -> None:
    assert ".html" in fail(*COMMAND, "--report", "report.tif")
    assert "map.html is" in fail(*COMMAND[:-1], "map.html", "--report", "map.html", "--force")
    many = ("segment", "scene.tif", "--clusters", "256", "-o", "map.tif", "--report", "r.html")
    assert re.search("255 classes.*256", fail(*many))
    (folder / "r.html").touch()
    assert "exists" in fail(*COMMAND, "--report", "r.html")
    assert not (folder / "map.tif").exists()


def test_bad_splits_and_merges_are_refused(fail: Fail) -> None:
    for given, message in [
        ("20,3", "commas"),
        ("x,3,4", "spread"),
        ("20,a,4", "'a' and '4'"),
        ("0,3,4", "0 pixels"),
        ("20,-1,4", "-1.0"),
    ]:
        assert message in fail(*COMMAND, "--isodata", given, code=2)


def test_splits_need_classes_to_be_found_and_no_names(fail: Fail, folder: Path) -> None:
    (folder / "names.csv").write_text("class,name\n1,water\n", encoding="utf-8")
    assert "--isodata: " in fail(
        "segment", "scene.tif", "--model", "m.kmosaic", "-o", "map.tif", "--isodata", "9,9,9", code=2
    )
    assert "classes" in fail(*COMMAND, "--isodata", "9,9,9", "--names", "names.csv", code=2)


def test_the_cap_is_told_in_the_units_it_is_given_in(fail: Fail) -> None:
    message = fail(*COMMAND, "--memory", "50MB")
    assert re.search("50 MB.*too small", message)
