"""kmosaic sweep."""

from __future__ import annotations

import csv
import json
import re
import shlex

import pytest

from kmosaic.cli.sweep import default_clusters

NAMED_IN_THE_ISSUE = {
    "n_clusters", "seed", "inertia_scaled", "inertia_raw", "homogeneity", "completeness", "v_measure",
    "adjusted_rand", "accuracy_train", "accuracy_test", "n_iter", "converged", "fit_seconds",
    "peak_memory_bytes",
}  # fmt: skip


@pytest.fixture
def swept(run):
    """A small sweep with every output."""
    return run(
        "sweep", "digits", "--clusters", "10,20", "--seeds", "2", "--json", "out.json", "--csv", "out.csv",
        "--report", "out.html", "--pictures", "pictures",
    )  # fmt: skip


@pytest.mark.usefixtures("swept")
def test_writes_every_output(folder):
    runs = json.loads((folder / "out.json").read_text())
    with (folder / "out.csv").open() as stream:
        lines = list(csv.DictReader(stream))

    assert [(run["n_clusters"], run["seed"]) for run in runs] == [(10, 0), (10, 1), (20, 0), (20, 1)]
    assert set(runs[0]) >= NAMED_IN_THE_ISSUE
    assert [line["inertia_raw"] for line in lines] == [repr(run["inertia_raw"]) for run in runs]
    page = (folder / "out.html").read_text()
    assert "kmosaic sweep digits --clusters 10,20 --seeds 2" in page
    pictures = sorted(path.name for path in (folder / "pictures").iterdir())
    assert pictures == ["first-images.png", "inertia.png", "scores.png", "time.png"]


def test_says_what_it_did_and_what_to_do_next(swept):
    text = swept.stdout

    assert re.search("1,438 training images, 359 test images.*20%, seed 0", text)
    assert "over 2 seeds" in text
    assert re.search(r"squared pixel values.* 0\.\.1", text)
    assert "Recommended: " in text
    assert "Written: out.json, out.csv, out.html, pictures" in text
    assert "kmosaic fit digits --clusters " in text
    assert swept.stderr == ""


def test_the_table_is_the_mean_over_seeds(swept, folder):
    runs = json.loads((folder / "out.json").read_text())
    line = next(line for line in swept.stdout.splitlines() if line.strip().startswith("20 "))
    mean = sum(run["accuracy_test"] for run in runs if run["n_clusters"] == 20) / 2

    assert f" {mean:.3f} ±" in line
    assert all(len(line) <= 80 for line in swept.stdout.splitlines()[1:5])


@pytest.mark.usefixtures("swept")
def test_pixels_are_scaled_by_full_brightness(folder):
    run = json.loads((folder / "out.json").read_text())[0]

    assert run["inertia_scaled"] == pytest.approx(run["inertia_raw"] / 16**2)


def test_first_seed(run, folder):
    run("sweep", "digits", "--clusters", "4", "--seeds", "2", "--seed", "7", "--json", "out.json")

    assert [run["seed"] for run in json.loads((folder / "out.json").read_text())] == [7, 8]


def test_three_seeds_by_default(run, folder):
    run("sweep", "digits", "--clusters", "4", "--json", "out.json", "--quiet")

    assert [run["seed"] for run in json.loads((folder / "out.json").read_text())] == [0, 1, 2]


def test_quiet_leaves_out_the_advice(run):
    text = run("sweep", "digits", "--clusters", "4", "--seeds", "1", "--quiet").stdout

    assert "Next: " not in text
    assert "Recommended: " in text


def test_tolerance_is_that_of_the_recommendation(run):
    text = run("sweep", "digits", "--clusters", "10,40", "--seeds", "1", "--tolerance", "1").stdout

    assert "Recommended: 10 clusters" in text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--algorithm", "minibatch"), {"algorithm": "MiniBatchKMeans"}),
        (("--max-iter", "1"), {"n_iter": 1, "converged": False}),
    ],
)
def test_options_reach_the_estimator(run, folder, options, expected):
    run("sweep", "digits", "--clusters", "10", "--seeds", "1", "--json", "out.json", *options)
    made = json.loads((folder / "out.json").read_text())[0]

    assert {name: made[name] for name in expected} == expected


def test_further_options_change_the_result(run, folder):
    further = [(), ("--init", "random", "--n-init", "1"), ("--n-init", "5"), ("--tol", "20")]
    found = set()
    for options in further:
        run("sweep", "digits", "--clusters", "30", "--seeds", "1", "--json", "out.json", "--force", *options)
        found.add(json.loads((folder / "out.json").read_text())[0]["inertia_raw"])

    assert len(found) == len(further)


def test_threads_change_nothing(run, folder):
    for threads in ("1", "3"):
        run(
            "sweep",
            "digits",
            "--clusters",
            "10",
            "--seeds",
            "1",
            "--threads",
            threads,
            "--json",
            f"{threads}.json",
        )
    one, three = (json.loads((folder / f"{name}.json").read_text())[0] for name in "13")
    same = ("inertia_raw", "n_iter", "accuracy_test", "adjusted_rand")

    assert [one[name] for name in same] == [three[name] for name in same]


def test_unlabelled_images(run, photos):
    text = run("sweep", str(photos), "--size", "8x8", "--seeds", "2", "--clusters", "2,3").stdout

    assert "stability" in text
    assert "accuracy" not in text.partition("Recommended")[0]


def test_default_numbers_fit_the_number_of_images(run, photos, folder):
    run("sweep", str(photos), "--size", "8x8", "--seeds", "1", "--json", "out.json")
    tried = [run["n_clusters"] for run in json.loads((folder / "out.json").read_text())]

    assert tried == [2, 3, 4]


def test_default_numbers_are_possible_numbers():
    for n_samples in [1, 2, 3, 10, 29, 100, 1200, 60_000]:
        numbers = default_clusters(n_samples)

        assert numbers
        assert all(1 <= number <= n_samples for number in numbers)


def test_mnist_has_the_starting_document_beside(run, shared_data):
    if not (shared_data / "mnist").is_dir():
        pytest.skip(f"no mnist in {shared_data}")

    text = run(
        "sweep",
        "mnist",
        "--clusters",
        "10",
        "--seeds",
        "1",
        "--max-iter",
        "2",
        "--data-dir",
        str(shared_data),
    ).stdout

    assert "60,000 training images, 10,000 test images" in text
    assert next(line for line in text.splitlines() if line.startswith("notebook")).split()[1:] == [
        "2,389,283", "0.448", "0.521",
    ]  # fmt: skip
    assert '"notebook"' in text
    assert "99.3%" not in text


def test_mnist_with_256_clusters_has_the_rebuttal(run, shared_data):
    if not (shared_data / "mnist").is_dir():
        pytest.skip(f"no mnist in {shared_data}")

    line = ("sweep", "mnist", "--clusters", "256", "--seeds", "1", "--n-init", "1", "--max-iter", "1")
    text = run(*line, "--init", "random", "--data-dir", str(shared_data)).stdout

    assert '"99.3% with 256 clusters"' in text
    assert "0.894" in text
    assert "0.899" in text


@pytest.mark.usefixtures("photos")
def test_the_advice_reads_and_fits_alike(run, tmp_path):
    options = (
        "--size", "32x24", "--fit", "crop", "--grey", "--strict", "--data-dir", str(tmp_path / "data"),
        "--algorithm", "minibatch", "--init", "random", "--n-init", "2", "--max-iter", "5", "--tol", "0.5",
        "--threads", "1",
    )  # fmt: skip
    text = run("sweep", "photos", "--clusters", "2", "--seeds", "1", "--seed", "7", *options).stdout
    advice = text.partition("Next: ")[2].partition("  (and")[0]

    assert advice == shlex.join(
        ["kmosaic", "fit", "photos", "--clusters", "2", "--seed", "7", *options,
         "-o", "model.kmosaic", "--report", "fit.html"]
    )  # fmt: skip
    run(*shlex.split(advice)[1:])


@pytest.mark.usefixtures("photos")
def test_the_advice_has_the_kmeans_options_too(run):
    options = ("--size", "8x8", "--rgb", "--empty-clusters", "drop")
    text = run("sweep", "photos", "--clusters", "2", "--seeds", "1", *options).stdout

    assert "--clusters 2 --size 8x8 --rgb --empty-clusters drop -o model.kmosaic" in text


def test_the_advice_leaves_defaults_out(run):
    text = run("sweep", "digits", "--clusters", "4", "--seeds", "1", "--json", "out.json").stdout

    assert text.endswith(" kmosaic fit digits --clusters 4 -o model.kmosaic --report fit.html\n")


def test_default_numbers_are_those_documented(run):
    for n_samples, numbers in [
        (108, (10, 16, 36)),
        (107, (2, 3, 4, 6, 8, 12, 16)),
        (12, (2, 3, 4)),
        (11, (1, 2, 3)),
    ]:
        assert default_clusters(n_samples) == numbers
    assert re.search("108 .*2,3,4,6,8,12,16", " ".join(run("sweep", "-h").stdout.split()))


class TestBadInput:
    def test_clusters_that_are_none(self, fail):
        for clusters in ["0", "-3", "10,0", "ten", "", "10;20", "3.5"]:
            assert "'--clusters'" in fail("sweep", "digits", "--clusters", clusters, code=2)

    def test_more_clusters_than_images(self, fail):
        assert re.search("n_clusters=9999.*n_samples=1438", fail("sweep", "digits", "--clusters", "10,9999"))

    def test_the_same_number_twice(self, fail):
        assert "twice" in fail("sweep", "digits", "--clusters", "10,10")

    def test_seeds(self, fail):
        for seeds in ["0", "-1", "x"]:
            assert "'--seeds'" in fail("sweep", "digits", "--seeds", seeds, code=2)

    def test_outputs_are_kept(self, fail, run, folder):
        for option in ["--json", "--csv", "--report"]:
            (folder / "out.html").write_text("mine")

            assert "out.html exists" in fail("sweep", "digits", "--clusters", "4", option, "out.html")
            assert (folder / "out.html").read_text() == "mine"
            run("sweep", "digits", "--clusters", "4", "--seeds", "1", option, "out.html", "--force")
            assert (folder / "out.html").read_text() != "mine"

    def test_report_that_is_no_page(self, fail):
        assert re.search("x.txt.*.html", fail("sweep", "digits", "--report", "x.txt"))

    def test_outputs_are_checked_before_the_work(self, fail, folder):
        (folder / "out.json").write_text("mine")

        assert "out.json exists" in fail("sweep", "no-such-source", "--json", "out.json")

    def test_pictures_are_kept(self, fail, folder):
        (folder / "pictures").mkdir()
        (folder / "pictures" / "time.png").write_text("mine")

        assert "time.png exists" in fail("sweep", "digits", "--pictures", "pictures")

    def test_pictures_into_a_file(self, fail, folder):
        (folder / "pictures").write_text("mine")

        assert "name a folder" in fail("sweep", "digits", "--pictures", "pictures")

    def test_one_name_for_two_outputs(self, fail):
        assert "two outputs" in fail("sweep", "digits", "--json", "out", "--csv", "./out")
