"""Pages in a real browser: headless Chromium, without a network, watched for errors and requests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kmosaic.cluster import KMeans
from kmosaic.evaluate import SweepOptions, summarise, sweep
from kmosaic.explain import Lesson, PointSet, make_lesson, write_lesson
from kmosaic.images.collection import Dataset, ImageCollection, VectorCollection
from kmosaic.models.image_model import ImageFormat
from kmosaic.report import FitReport, Provenance, SweepReport, write_fit_report, write_sweep_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Markup, quotes of both kinds, right-to-left letters, an emoji, and what closes a script.
HOSTILE = """<img src=x onerror="globalThis.ran=1">'"שלום😀</script><script>globalThis.ran=1</script>"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's Chromium, or Chrome; skips where there is none."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install kmosaic[browser]"
    )
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium on this system; on Debian: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        # Containers offer no sandbox to root; the pages are the project's own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Opener:
    """Opens pages from files; what goes wrong in any of them is kept."""

    browser: Any
    contexts: list[Any] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def __call__(
        self, path: Path | None = None, look: str = "light", width: int = 1366, height: int = 768
    ) -> Any:
        """Open ``path`` in a window of its own; without one, an empty page."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=look,
            reduced_motion="reduce",
            offline=True,
            accept_downloads=True,
        )
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("console", lambda message: self.troubles.append(f"console: {message.text}"))
        page.on("request", self._watch)
        if path is not None:
            page.goto(path.as_uri())
        return page

    def _watch(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:", "about:")):
            self.troubles.append(f"request: {request.url}")


@pytest.fixture
def opened(chromium: Any) -> Iterator[Opener]:
    """Call it with a file to get its page; the test fails if any page says an error or asks the network."""
    opener = Opener(chromium)
    yield opener
    for context in opener.contexts:
        context.close()
    assert opener.troubles == []


@pytest.fixture(scope="session")
def digits() -> ImageCollection:
    """All of scikit-learn's digits."""
    data = load_digits()
    return ImageCollection(
        "digits",
        np.ascontiguousarray(data.data.astype(np.uint8)),
        ImageFormat(8, 8, 1, "uint8", 16.0),
        data.target.astype(np.int64),
        tuple("0123456789"),
        tuple(str(row) for row in range(len(data.data))),
    )


@pytest.fixture(scope="session")
def lesson(digits: ImageCollection) -> Lesson:
    """The lesson on made-up points."""
    return make_lesson(digits.take(range(600)))


@pytest.fixture(scope="session")
def lesson_file(lesson: Lesson, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page."""
    return write_lesson(tmp_path_factory.mktemp("lesson") / "lesson.html", lesson)


@pytest.fixture(scope="session")
def own_lesson_file(digits: ImageCollection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lesson on somebody's own points, whose columns have hostile names."""
    points = np.random.default_rng(3).normal(size=(60, 2)).round(3)
    own = PointSet("own", HOSTILE, HOSTILE, points, 3, (HOSTILE, HOSTILE))
    path = tmp_path_factory.mktemp("own") / "own.html"
    return write_lesson(path, make_lesson(digits.take(range(300)), own))


@pytest.fixture(scope="session")
def fit_file(digits: ImageCollection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 20 clusters of the digits."""
    model = KMeans(20, random_state=0).fit(digits.pixels)
    summary = summarise(model, digits.pixels, digits.labels, label_names=digits.label_names)
    report = FitReport(digits, summary, Provenance("kmosaic fit digits --clusters 20"))
    return write_fit_report(tmp_path_factory.mktemp("fit") / "fit.html", report)


@pytest.fixture(scope="session")
def vectors_file(digits: ImageCollection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 20 clusters of vectors without pictures, which have paths and labels."""
    vectors = VectorCollection(
        "vectors",
        digits.pixels,
        None,
        digits.labels,
        digits.label_names,
        tuple(f"a/{id}" for id in digits.ids),
    )
    model = KMeans(20, random_state=0).fit(vectors.vectors)
    summary = summarise(model, vectors.vectors, vectors.labels, label_names=vectors.label_names)
    report = FitReport(vectors, summary, features="vectors")
    return write_fit_report(tmp_path_factory.mktemp("vectors") / "fit.html", report)


@pytest.fixture(scope="session")
def long_names_file(digits: ImageCollection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of digits whose labels are long words."""
    few = digits.take(range(200))
    names = tuple(f"a handwritten digit, which is called {number}" for number in range(10))
    summary = summarise(KMeans(8, random_state=0).fit(few.pixels), few.pixels, few.labels, label_names=names)
    report = FitReport(replace(few, label_names=names), summary)
    return write_fit_report(tmp_path_factory.mktemp("long") / "fit.html", report)


@pytest.fixture(scope="session")
def hostile_fit_file(digits: ImageCollection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same where every name, label, file and command is hostile."""
    few = digits.take(range(200))
    images = ImageCollection(
        HOSTILE,
        few.pixels,
        few.format,
        few.labels,
        tuple(f"{number}{HOSTILE}" for number in range(10)),
        tuple(f"{number}{HOSTILE}" for number in range(200)),
        HOSTILE,
    )
    model = KMeans(8, random_state=0).fit(images.pixels)
    summary = summarise(model, images.pixels, images.labels, label_names=images.label_names)
    report = FitReport(images, summary, Provenance(HOSTILE))
    return write_fit_report(tmp_path_factory.mktemp("hostile") / "fit.html", report)


@pytest.fixture(scope="session")
def sweep_file(digits: ImageCollection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small sweep."""
    dataset = Dataset("digits", digits.take(range(800)), digits.take(range(800, 1000)), "held out")
    train, test = dataset.train, dataset.test
    assert test is not None
    result = sweep(
        train.pixels,
        train.labels,
        n_clusters=(5, 10, 20),
        seeds=(0, 1),
        test=(test.pixels, test.labels),
        options=SweepOptions(max_value=16, keep_models=True),
    )
    return write_sweep_report(tmp_path_factory.mktemp("sweep") / "sweep.html", SweepReport(dataset, result))


def serious_faults(page: Any) -> list[str]:
    """What axe-core finds wrong that is serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html'][:160]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
