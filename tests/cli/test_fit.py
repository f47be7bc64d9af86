"""kmosaic fit."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from kmosaic import load_model

PICTURES = ["centroids", "cluster-sizes", "confusion-matrix", "first-images", "inertia-history", "members"]


def labels_in(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def fitted(run):
    """A fit with every output."""
    return run(
        "fit", "digits", "--clusters", "12", "-o", "digits.kmosaic", "--labels", "labels.csv", "--report",
        "out.html", "--pictures", "pictures", "--picture-format", "svg",
    )  # fmt: skip


@pytest.mark.usefixtures("fitted")
def test_writes_every_output(folder):
    model = load_model(folder / "digits.kmosaic")
    lines = labels_in(folder / "labels.csv")

    assert model.n_clusters == 12
    assert model.seed == 0
    assert model.command.startswith("kmosaic fit digits --clusters 12 -o digits.kmosaic")
    assert len(lines) == 1797
    assert list(lines[0]) == ["id", "cluster", "name", "distance", "label", "part"]
    assert "kmosaic fit digits --clusters 12" in (folder / "out.html").read_text()
    assert sorted(path.name for path in (folder / "pictures").iterdir()) == [
        f"{name}.svg" for name in PICTURES
    ]


def test_says_what_it_did_and_what_to_do_next(fitted):
    assert re.search("1,797 images.*12 clusters", fitted.stdout)
    assert "converged after" in fitted.stdout
    assert "Written: digits.kmosaic, labels.csv, out.html" in fitted.stdout
    assert "kmosaic show digits.kmosaic -o centroids.png" in fitted.stdout
    assert fitted.stderr == ""


def test_shows_its_plan_once_when_debugging(run, monkeypatch):
    monkeypatch.setenv("KMOSAIC_DEBUG", "1")
    told = run("fit", "digits", "--clusters", "9", "-q", "-o", "d.kmosaic").stderr
    monkeypatch.delenv("KMOSAIC_DEBUG")

    assert told.count("plan: 1,797 x 64 uint8, 9 clusters") == 1
    assert run("fit", "digits", "--clusters", "9", "-q", "-o", "d.kmosaic", "--force").stderr == ""


def test_names_of_folders_and_files_are_no_formulas(run, folder):
    for label, value in (("=cmd()", 0), ("-1", 255)):
        (folder / "photos" / label).mkdir(parents=True)
        Image.new("L", (4, 4), value).save(folder / "photos" / label / "@a;b.png")

    run("fit", "photos", "--clusters", "2", "--labels", "labels.csv", "--quiet")

    lines = labels_in(folder / "labels.csv")
    assert [(line["id"], line["label"]) for line in lines] == [
        ("'-1/@a;b.png", "-1"),
        ("'=cmd()/@a;b.png", "'=cmd()"),
    ]


@pytest.mark.usefixtures("fitted")
def test_labels_are_the_models(folder):
    from sklearn.datasets import load_digits

    model = load_model(folder / "digits.kmosaic")
    X = load_digits().data.astype(np.uint8)
    lines = labels_in(folder / "labels.csv")
    row = 5
    cluster = int(lines[row]["cluster"])

    assert [int(line["cluster"]) for line in lines] == model.predict(X).tolist()
    assert lines[row]["name"] == model.cluster_names[cluster]
    assert lines[row]["label"] == str(load_digits().target[row])
    distance = np.linalg.norm(X[row] - model.cluster_centers[cluster])
    assert float(lines[row]["distance"]) == pytest.approx(distance, rel=1e-12)


def test_the_same_seed_gives_the_same_file(run, folder):
    line = ("fit", "digits", "--clusters", "8", "-q", "-o", "a.kmosaic", "--force", "--seed")
    files = []
    for seed in ("1", "1", "2"):
        run(*line, seed)
        files.append((folder / "a.kmosaic").read_bytes())

    assert files[0] == files[1]
    assert files[0] != files[2]


def test_holding_out(run, folder):
    text = run("fit", "digits", "--clusters", "8", "--labels", "l.csv", "--test-fraction", "0.25").stdout
    parts = [line["part"] for line in labels_in(folder / "l.csv")]

    assert "held out: stratified 25%" in text
    assert parts.count("train") + parts.count("test") == 1797
    assert 440 < parts.count("test") < 460


@pytest.mark.usefixtures("photos")
def test_a_folder_of_photos(run, folder):
    text = run(
        "fit", "photos/", "--clusters", "3", "--size", "6x4", "-o", "photos.kmosaic", "--labels", "labels.csv"
    ).stdout
    model = load_model(folder / "photos.kmosaic")
    lines = labels_in(folder / "labels.csv")

    assert "12 images in 3 clusters" in text
    assert (model.image.width, model.image.height, model.image.channels, model.image.fit) == (6, 4, 3, "pad")
    assert [line["id"] for line in lines] == [f"{number:02}.png" for number in range(12)]
    assert {line["name"] for line in lines} == {""}


@pytest.mark.usefixtures("photos")
def test_fit_policies(run, folder):
    for policy in ["pad", "crop", "stretch"]:
        shape = ("--size", "5x5", "--fit", policy, "--grey")
        run("fit", "photos", "--clusters", "2", *shape, "-o", "m.kmosaic", "--force")
        image = load_model(folder / "m.kmosaic").image

        assert (image.fit, image.channels) == (policy, 1)


def test_minibatch(run, folder):
    run(
        "fit",
        "digits",
        "--clusters",
        "5",
        "--algorithm",
        "minibatch",
        "-o",
        "m.kmosaic",
        "--report",
        "m.html",
    )

    assert load_model(folder / "m.kmosaic").algorithm == "MiniBatchKMeans"


def test_fewer_distinct_images_than_clusters(run, folder):
    np.save(folder / "same.npy", np.repeat(np.array([[0, 0, 0, 0], [9, 9, 9, 9]], np.uint8), 5, axis=0))

    result = run("fit", "same.npy", "--clusters", "3", "-o", "m.kmosaic")

    assert re.search("kmosaic: warning: .*2 distinct", result.stderr)
    assert result.stderr.count("\n") == 1


def test_many_clusters_are_left_to_the_report(run):
    text = run("fit", "digits", "--clusters", "41", "--max-iter", "1", "--labels", "l.csv").stdout

    assert re.search("table.*40.*report", text)


class TestUnlikeProportions:
    @pytest.fixture
    def upright_and_lying(self, folder):
        (folder / "both").mkdir()
        for number, size in enumerate([(40, 30), (30, 40), (80, 60), (60, 80)]):
            Image.new("L", size, 50 * number).save(folder / "both" / f"{number}.png")

    LINE = ("fit", "both", "--clusters", "2", "--size", "20x20", "-o", "m.kmosaic")

    @pytest.mark.usefixtures("upright_and_lying")
    def test_padding_them_is_said(self, run):
        assert re.fullmatch(
            r'kmosaic: warning: .*2 proportions.*--fit crop .*--fit stretch .*ReadOptions\(fit="crop"\).*\n',
            run(*self.LINE).stderr,
        )

    @pytest.mark.usefixtures("upright_and_lying")
    def test_no_margins_no_word(self, run):
        for policy in ["crop", "stretch"]:
            assert run(*self.LINE, "--fit", policy, "--force").stderr == ""

    def test_nearly_alike_is_alike(self, run, folder):
        (folder / "both").mkdir()
        for number, size in enumerate([(40, 30), (41, 30)]):
            Image.new("L", size, 50 * number).save(folder / "both" / f"{number}.png")

        assert run(*self.LINE).stderr == ""

    @pytest.mark.usefixtures("upright_and_lying")
    def test_no_advice_to_those_who_have_a_model(self, run):
        run(*self.LINE)

        assert run("predict", "m.kmosaic", "both", "-o", "p.csv").stderr == ""


class TestUnreadableFiles:
    @pytest.fixture
    def damaged(self, photos):
        """One photo is cut short, and a text file lies beside."""
        whole = (photos / "03.png").read_bytes()
        (photos / "03.png").write_bytes(whole[: len(whole) // 2])
        (photos / "notes.txt").write_text("not an image")

    @pytest.mark.usefixtures("damaged")
    def test_are_counted_and_named(self, run):
        result = run("fit", "photos", "--clusters", "2", "--size", "4x4", "-o", "m.kmosaic")

        assert "03.png" in result.stderr
        assert " skipped:" in result.stderr
        assert "11 images in 2 clusters" in result.stdout

    @pytest.mark.usefixtures("damaged")
    def test_are_an_error_when_strict(self, fail, folder):
        line = ("fit", "photos", "--clusters", "2", "--size", "4x4", "-o", "m.kmosaic")

        message = fail(*line, "--strict")
        assert "notes.txt" in message
        assert "03.png" in message
        assert "2 files" in message
        assert not (folder / "m.kmosaic").exists()


class TestBadInput:
    def test_nothing_to_write(self, fail):
        assert "-o MODEL" in fail("fit", "digits", "--clusters", "3", code=2)

    def test_clusters_that_are_none(self, fail):
        for clusters in ["0", "-1", "many", "2.5"]:
            message = fail("fit", "digits", "--clusters", clusters, code=2)

            assert f"'--clusters': '{clusters}'" in message

    def test_seed(self, fail):
        for seed in ["-1", "4294967296", "x"]:
            message = fail("fit", "digits", "--clusters", "2", "--seed", seed, code=2)

            assert "0 to 4294967295" in message

    def test_size_beyond_reason(self, fail):
        message = fail("fit", "digits", "--clusters", "2", "--size", "70000x5", code=2)

        assert re.search("'70000x5'.*65535", message)

    def test_no_clusters(self, fail):
        assert "Missing option '--clusters'" in fail("fit", "digits", "-o", "m", code=2)

    def test_more_clusters_than_images(self, fail, folder):
        message = fail("fit", "digits", "--clusters", "1798", "-o", "m.kmosaic")

        assert re.search("n_samples=1797.*n_clusters=1798", message)
        assert list(folder.iterdir()) == []

    def test_size(self, fail):
        for size in ["64", "64x", "x64", "0x64", "-1x4", "axb", "64x64x3"]:
            assert "'--size'" in fail("fit", "digits", "--clusters", "3", "--size", size, code=2)

    def test_grey_and_rgb(self, fail):
        assert "exclude each other" in fail(
            "fit", "digits", "--clusters", "3", "-o", "m", "--grey", "--rgb", code=2
        )

    def test_empty_clusters_of_minibatch(self, fail):
        line = ("fit", "digits", "--clusters", "3", "-o", "m", "--algorithm", "minibatch")
        assert "--empty-clusters" in fail(*line, "--empty-clusters", "drop", code=2)

    def test_unlike_sizes_without_a_size(self, fail, photos):
        message = fail("fit", str(photos), "--clusters", "3", "-o", "m")

        assert re.search(r"30 x 20 \(4\), 30 x 21 \(4\), 30 x 22 \(4\).*--size 64x64", message)
        assert "ReadOptions(size=(64, 64)) in Python" in message

    def test_no_such_source(self, fail):
        assert "mnist?" in fail("fit", "mnits", "--clusters", "3", "-o", "m")

    def test_empty_folder(self, fail, folder):
        (folder / "empty").mkdir()

        assert "empty" in fail("fit", "empty", "--clusters", "3", "-o", "m")

    def test_folder_of_text_files(self, fail, folder):
        (folder / "texts").mkdir()
        (folder / "texts" / "a.txt").write_text("no image")
        (folder / "texts" / "b.png").write_text("no image either")

        assert "texts" in fail("fit", "texts", "--clusters", "3", "-o", "m")

    def test_image_bomb(self, fail, folder):
        (folder / "bombs").mkdir()
        Image.new("1", (20_000, 20_000)).save(folder / "bombs" / "bomb.png")

        assert "bomb" in fail("fit", "bombs", "--clusters", "1", "--size", "8x8", "-o", "m", "--strict")

    def test_arrays(self, fail, folder):
        for name, array in [
            ("nan", np.array([[0.0, np.nan], [1.0, 2.0]])),
            ("infinite", np.array([[0.0, np.inf], [1.0, 2.0]])),
            ("empty", np.empty((0, 4))),
            ("one-dimensional", np.arange(5.0)),
            ("complex", np.ones((4, 4), complex)),
        ]:
            np.save(folder / f"{name}.npy", array)

            assert f"{name}.npy" in fail("fit", f"{name}.npy", "--clusters", "1", "-o", "m.kmosaic")
            assert not (folder / "m.kmosaic").exists()

    def test_objects_are_not_unpickled(self, fail, folder):
        class Trap:
            def __reduce__(self):
                return (Path("sprung").touch, ())

        np.save(folder / "trap.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)

        assert "trap.npy" in fail("fit", "trap.npy", "--clusters", "1", "-o", "m")
        assert not (folder / "sprung").exists()

    def test_damaged_idx(self, fail, folder):
        for content in [
            b"",
            b"\0\0\x08\x03\0\0\0\x05",
            b"\x1f\x8b\x08\0garbage",
            b"\0\0\x08\x01\xff\xff\xff\xff",
        ]:
            (folder / "images-idx3-ubyte").write_bytes(content)

            assert "images-idx3-ubyte" in fail("fit", "images-idx3-ubyte", "--clusters", "1", "-o", "m")

    def test_wrong_checksum(self, fail, tmp_path):
        (tmp_path / "data" / "mnist").mkdir()
        for name, header in (
            ("train-images-idx3-ubyte", b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02" + bytes(8)),
            ("train-labels-idx1-ubyte", b"\0\0\x08\x01\0\0\0\x02\0\x01"),
            ("t10k-images-idx3-ubyte", b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02" + bytes(8)),
            ("t10k-labels-idx1-ubyte", b"\0\0\x08\x01\0\0\0\x02\0\x01"),
        ):
            (tmp_path / "data" / "mnist" / name).write_bytes(header)

        assert "checksum" in fail("fit", "mnist", "--clusters", "1", "-o", "m")


class TestOutputs:
    def test_are_kept(self, fail, run, folder):
        for option, name in [("-o", "out"), ("--labels", "out.csv"), ("--report", "out.html")]:
            (folder / name).write_text("mine")
            line = ("fit", "digits", "--clusters", "4", option, name)

            assert f"{name} exists" in fail(*line)
            assert (folder / name).read_text() == "mine"
            run(*line, "--force")
            assert (folder / name).stat().st_size > 1000

    def test_model_named_like_something_else(self, fail):
        for name in ["a.html", "a.HTM", "a.csv", "a.png", "a.svg", "a.json"]:
            assert "write -o a.kmosaic" in fail("fit", "digits", "--clusters", "4", "-o", name)

    def test_report_that_is_no_page(self, fail):
        for name in ["a.txt", "a", "a.kmosaic"]:
            assert ".html" in fail("fit", "digits", "--clusters", "4", "--report", name)

    def test_into_a_missing_folder(self, fail):
        assert "nowhere is" in fail("fit", "digits", "--clusters", "4", "-o", "nowhere/m.kmosaic")

    def test_that_are_folders(self, fail, folder):
        (folder / "out").mkdir()

        assert "out is" in fail("fit", "digits", "--clusters", "4", "-o", "out", "--force")

    def test_that_cannot_be_written(self, fail):
        if not Path("/proc/self").is_dir():
            pytest.skip("needs /proc, where nobody can make files")

        message = fail("fit", "digits", "--clusters", "4", "-o", "/proc/self/m.kmosaic")

        assert "not writable" in message or "cannot be written" in message

    def test_are_checked_before_the_work(self, fail, folder):
        (folder / "m.kmosaic").write_text("mine")

        assert "m.kmosaic exists" in fail("fit", "no-such-source", "--clusters", "4", "-o", "m.kmosaic")


def crowded() -> np.ndarray:
    """Forty images that look alike, and two that look like nothing else."""
    images = np.random.default_rng(0).integers(0, 3, (42, 5, 5), dtype=np.uint8)
    images[40], images[41, 2:] = 255, 200
    return images


def test_a_cluster_that_has_most_of_the_images_is_warned_of(run, folder):
    np.save(folder / "crowded.npy", crowded())

    fitted = run("fit", "crowded.npy", "--clusters", "3", "-o", "m.kmosaic", "-q")
    swept = run("sweep", "crowded.npy", "--clusters", "2,3", "-q")

    cluster = int(load_model("m.kmosaic").cluster_sizes.argmax())
    assert re.search(f"kmosaic: warning: cluster {cluster} .*95%", fitted.stderr)
    assert re.search("kmosaic: warning: .*K = 3.*95%", swept.stderr)
    assert "try --features gradients" in swept.stderr
    assert "`kmosaic neighbours`" in fitted.stderr


def test_no_warning_of_clusters_of_any_usual_size(run, folder):
    np.save(folder / "crowded.npy", crowded())

    assert "warning" not in run("fit", "crowded.npy", "--clusters", "2", "-o", "m.kmosaic", "-q").stderr
    assert "warning" not in run("fit", "digits", "--clusters", "3", "-o", "n.kmosaic", "-q").stderr


def test_the_reported_peak_memory_is_that_of_the_whole_process(run, folder):
    """Not of the fit alone: reading images and making features may take more."""
    block = np.ones(1 << 26)
    held = psutil.Process().memory_info().rss / 1e6
    del block

    run("fit", "digits", "--clusters", "4", "--report", "out.html", "--quiet")
    figure = re.search(r"Peak memory</dt><dd>([0-9.]+) (MB|GB)", (folder / "out.html").read_text())

    assert figure is not None
    assert float(figure[1]) * {"MB": 1, "GB": 1000}[figure[2]] >= 0.99 * held


@pytest.mark.parametrize(
    ("words", "name", "unit"),
    [
        (["spherical"], "SphericalKMeans", "cosine distances of pixel values"),
        (["bisecting", "--bisecting-strategy", "largest_cluster"], "BisectingKMeans", "squared pixel values"),
        (["two-level", "--refine", "2"], "TwoLevelKMeans", "squared pixel values"),
    ],
)
def test_other_algorithms(run, folder, words, name, unit):
    told = run(
        "fit", "digits", "--clusters", "9", "--algorithm", *words, "-o", "m.kmosaic", "--labels", "l.csv",
        "--report", "r.html", "--pictures", "p",
    )  # fmt: skip
    assert unit in told.stdout
    model = load_model(folder / "m.kmosaic")
    assert model.algorithm == name
    assert name in (folder / "r.html").read_text()
    assert name in run("show", "m.kmosaic", "-o", "m.png").stdout
    run("predict", "m.kmosaic", "digits", "-o", "p.csv")
    fitted, predicted = labels_in(folder / "l.csv"), labels_in(folder / "p.csv")
    assert [line["cluster"] for line in fitted] == [line["cluster"] for line in predicted]
    distances = [float(line["distance"]) for line in fitted]
    total = sum(distances) if name == "SphericalKMeans" else sum(np.square(distances))
    assert total == pytest.approx(model.inertia)


def test_options_of_other_algorithms_are_refused(fail):
    for words, message in [
        (["--refine", "2"], "--refine goes with --algorithm two-level"),
        (["--bisecting-strategy", "largest_cluster"], "goes with --algorithm bisecting"),
        (["--algorithm", "bisecting", "--empty-clusters", "drop"], "kmeans or spherical"),
    ]:
        assert message in fail("fit", "digits", "--clusters", "9", "-o", "m.kmosaic", *words, code=2)
    assert "two-level" in fail("sweep", "digits", "--algorithm", "spherical", code=2)


def test_a_black_image_has_no_direction(fail, folder):
    (folder / "photos").mkdir()
    for number, value in enumerate((90, 0, 255)):
        Image.new("L", (4, 4), value).save(folder / "photos" / f"{number}.png")

    told = fail("fit", "photos", "--clusters", "2", "--algorithm", "spherical", "-o", "m.kmosaic")

    assert "row 1 " in told
    assert "zeros" in told
