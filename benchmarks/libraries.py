"""One adapter a library: the same work asked of each, in the dtype it is quickest with.

Every library gets the same starting centroids (SuperKMeans cannot take any) and all cores. Those that cannot
go on until no label changes (FAISS, SuperKMeans, OpenCV) get kmosaic's number of iterations. What they
return is their own affair: FAISS and SuperKMeans return no labels, and are spared the last assignment.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]

# scikit-learn's elkan keeps a bound for every row and centroid.
ELKAN_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Task:
    """What is asked: ``centers`` None means the library's own start; ``max_iter`` None, its own defaults."""

    k: int
    centers: NDArray[np.float64] | None = None
    max_iter: int | None = None
    seed: int = 0
    n_threads: int | None = None
    on_iteration: Callable[[float], None] | None = None
    """Called with J after each of kmosaic's iterations."""


@dataclass(frozen=True)
class Fit:
    """What came out."""

    centers: NDArray[Any]
    n_iter: int
    note: str = ""


class Library:
    """A library under test. ``kinds`` are the measurements it can take part in."""

    name = ""
    module = ""
    distribution = ""
    kinds: tuple[str, ...] = ("fit", "curve")
    environment: dict[str, str] = {}  # noqa: RUF012 (read only)
    stops_by_itself = False
    """Whether it can go on until no label changes."""
    takes_centers = True
    """Whether it starts from given centroids."""

    def missing(self) -> str:
        """Why this library cannot run here, or an empty string."""
        return "" if importlib.util.find_spec(self.module) else f"{self.distribution} is not installed"

    def refusal(self, n_rows: int, k: int) -> str:  # noqa: ARG002
        """Why it is not asked to cluster so many rows so finely, or an empty string."""
        return ""

    def prepare(self, rows: Rows) -> Rows:
        """The rows in the dtype this library is quickest with, made before the clock starts."""
        return np.ascontiguousarray(rows, dtype=np.float32)

    def fit(self, rows: Rows, task: Task) -> Fit:
        """Cluster ``rows``."""
        raise NotImplementedError

    def fitter(self, rows: Rows, task: Task) -> Callable[[], Fit]:
        """The call that is timed; what it needs beforehand is made here, off the clock."""
        return lambda: self.fit(rows, task)

    def predictor(self, rows: Rows, centers: NDArray[np.float64]) -> Callable[[], NDArray[Any]]:
        """A call that labels ``rows`` by centroids that were fitted before."""
        raise NotImplementedError

    def transformer(self, rows: Rows, centers: NDArray[np.float64]) -> Callable[[], NDArray[Any]]:
        """A call that measures the distances of ``rows`` to centroids that were fitted before."""
        raise NotImplementedError

    def seed(self, rows: Rows, k: int, seed: int) -> NDArray[Any]:
        """Draw greedy k-means++ seeds."""
        raise NotImplementedError

    def fit_minibatch(self, rows: Rows, task: Task) -> Fit:
        """Cluster ``rows`` by mini-batches, with the library's defaults."""
        raise NotImplementedError


class _Estimator(Library):
    """A library with scikit-learn's contract."""

    options: dict[str, Any] = {}  # noqa: RUF012 (read only)
    stops_by_itself = True

    def estimator(self) -> Any:
        """Its KMeans class."""
        raise NotImplementedError

    def fit(self, rows: Rows, task: Task) -> Fit:
        model = self.estimator()(task.k, random_state=task.seed, **self._options(rows, task)).fit(rows)
        return Fit(model.cluster_centers_, int(model.n_iter_))

    def _options(self, rows: Rows, task: Task) -> dict[str, Any]:
        if task.centers is None:
            return {}
        centers = task.centers.astype(rows.dtype) if rows.dtype.kind == "f" else task.centers
        return {"init": centers, "n_init": 1, "max_iter": task.max_iter, "tol": 0, **self.options}

    def predictor(self, rows: Rows, centers: NDArray[np.float64]) -> Callable[[], NDArray[Any]]:
        model = self._fitted(rows, centers)
        return lambda: model.predict(rows)

    def transformer(self, rows: Rows, centers: NDArray[np.float64]) -> Callable[[], NDArray[Any]]:
        model = self._fitted(rows, centers)
        return lambda: model.transform(rows)

    def _fitted(self, rows: Rows, centers: NDArray[np.float64]) -> Any:
        # Every centroid twice is a fixed point (and once, oneDAL leaves to scikit-learn).
        twice = np.ascontiguousarray(np.repeat(centers, 2, axis=0), dtype=self._float_type(rows))
        return self.estimator()(len(centers), init=twice[::2], n_init=1, max_iter=1).fit(twice)

    def _float_type(self, rows: Rows) -> Any:
        return rows.dtype if rows.dtype.kind == "f" else np.float64


class Kmosaic(_Estimator):
    """kmosaic: the rows as they are stored."""

    name, module, distribution = "kmosaic", "kmosaic", "kmosaic"
    kinds: tuple[str, ...] = (
        "fit",
        "curve",
        "defaults",
        "predict",
        "transform",
        "seed",
        "minibatch",
        "scaling",
    )

    def estimator(self) -> Any:
        from kmosaic import KMeans

        return KMeans

    def prepare(self, rows: Rows) -> Rows:
        return rows

    def _options(self, rows: Rows, task: Task) -> dict[str, Any]:
        report = task.on_iteration
        callback = {"callback": lambda step: report(step.inertia)} if report else {}
        return {**super()._options(rows, task), "n_threads": task.n_threads, **callback}

    def seed(self, rows: Rows, k: int, seed: int) -> NDArray[Any]:
        from kmosaic.cluster.seeding import greedy_kmeans_plus_plus
        from kmosaic.engines import make_engine, resolve_n_threads

        engine = make_engine(rows, None, resolve_n_threads(None))
        chosen = greedy_kmeans_plus_plus(engine, k, np.random.RandomState(seed))
        return rows[chosen]

    def fit_minibatch(self, rows: Rows, task: Task) -> Fit:
        from kmosaic import MiniBatchKMeans

        model = MiniBatchKMeans(task.k, random_state=task.seed).fit(rows)
        return Fit(model.cluster_centers_, model.n_steps_)


class KmosaicAvx2(Kmosaic):
    """kmosaic on a processor that has AVX2 and nothing newer."""

    name = "kmosaic, AVX2 only"
    kinds = ("fit",)
    environment = {"KMOSAIC_CPU": "avx2"}  # noqa: RUF012 (read only)

    def missing(self) -> str:
        from kmosaic import show_config

        return "" if show_config().instruction_sets.get("avx2") else "this processor has no AVX2"


class KmosaicUntil(Kmosaic):
    """kmosaic's KMeans, stopped at a given inertia (see ``measure``)."""

    name = "kmosaic, KMeans stopped there"
    kinds = ("minibatch",)


class SklearnLloyd(_Estimator):
    """scikit-learn, plain Lloyd."""

    name, module, distribution = "scikit-learn lloyd", "sklearn", "scikit-learn"
    kinds: tuple[str, ...] = (
        "fit",
        "curve",
        "predict",
        "transform",
        "defaults",
        "seed",
        "minibatch",
        "scaling",
    )
    options = {"algorithm": "lloyd"}  # noqa: RUF012 (read only)

    def estimator(self) -> Any:
        from sklearn.cluster import KMeans

        return KMeans

    def seed(self, rows: Rows, k: int, seed: int) -> NDArray[Any]:
        from sklearn.cluster import kmeans_plusplus

        centers: NDArray[Any] = kmeans_plusplus(rows, k, random_state=seed)[0]
        return centers

    def fit_minibatch(self, rows: Rows, task: Task) -> Fit:
        from sklearn.cluster import MiniBatchKMeans

        model = MiniBatchKMeans(task.k, random_state=task.seed).fit(rows)
        return Fit(model.cluster_centers_, int(model.n_steps_))


class SklearnElkan(SklearnLloyd):
    """scikit-learn with Elkan's bounds."""

    name = "scikit-learn elkan"
    kinds = ("fit", "curve")
    options = {"algorithm": "elkan"}  # noqa: RUF012 (read only)

    def refusal(self, n_rows: int, k: int) -> str:
        needed = 4 * n_rows * k
        return f"its bounds need {needed / 1e9:.1f} GB" if needed > ELKAN_BYTES else ""


class OneDal(_Estimator):
    """scikit-learn-intelex, that is oneDAL, which may hand work back to scikit-learn: then a note says so."""

    name, module, distribution = "scikit-learn-intelex", "sklearnex", "scikit-learn-intelex"
    kinds = ("fit", "curve", "predict", "defaults")

    def estimator(self) -> Any:
        from sklearnex.cluster import KMeans

        return KMeans

    def fit(self, rows: Rows, task: Task) -> Fit:
        with _sklearnex_messages() as messages:
            fit = super().fit(rows, task)
        fell_back = [line for line in messages if ".fit: fallback" in line]
        accelerated = [line for line in messages if ".fit: running accelerated" in line]
        if fell_back:
            return replace(fit, note="fell back to scikit-learn")
        return fit if accelerated else replace(fit, note="does not say whether it fell back to scikit-learn")

    def predictor(self, rows: Rows, centers: NDArray[np.float64]) -> Callable[[], NDArray[Any]]:
        call = super().predictor(rows, centers)
        with _sklearnex_messages() as messages:
            call()
        if not any(".predict: running accelerated" in line for line in messages):
            raise RuntimeError("it hands predict back to scikit-learn")
        return call


@contextmanager
def _sklearnex_messages() -> Iterator[list[str]]:
    """What sklearnex logs: the only place where it says which implementation ran."""
    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("sklearnex"), Keep()
    level, propagate, others = logger.level, logger.propagate, logger.handlers[:]
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield messages
    finally:
        logger.handlers[:] = others
        logger.setLevel(level)
        logger.propagate = propagate


class Faiss(Library):
    """FAISS, every row used and no restarts."""

    name, module, distribution = "FAISS", "faiss", "faiss-cpu"
    kinds: tuple[str, ...] = ("fit", "curve", "predict")
    options: dict[str, Any] = {}  # noqa: RUF012 (read only)

    def fit(self, rows: Rows, task: Task) -> Fit:
        import faiss

        assert task.centers is not None
        assert task.max_iter is not None
        model: Any = faiss.Kmeans(
            rows.shape[1],
            task.k,
            niter=task.max_iter,
            nredo=1,
            seed=task.seed,
            min_points_per_centroid=1,
            max_points_per_centroid=len(rows),
            int_centroids=False,
            **self.options,
        )
        model.train(rows, init_centroids=task.centers.astype(np.float32))
        return Fit(model.centroids, task.max_iter, "kmosaic's number of iterations, no final labels")

    def predictor(self, rows: Rows, centers: NDArray[np.float64]) -> Callable[[], NDArray[Any]]:
        import faiss

        index = faiss.IndexFlatL2(rows.shape[1])
        index.add(np.ascontiguousarray(centers, dtype=np.float32))
        return lambda: index.search(rows, 1)[1].ravel()


class FaissSuper(Faiss):
    """FAISS's own variant of SuperKMeans, which takes starting centroids."""

    name = "FAISS, super k-means"
    kinds = ("fit", "curve")
    options = {"use_super_kmeans": True}  # noqa: RUF012 (read only)

    def missing(self) -> str:
        if reason := super().missing():
            return reason
        import faiss

        known = hasattr(faiss.ClusteringParameters(), "use_super_kmeans")
        return "" if known else "this FAISS has no super k-means"


class SuperKMeans(Library):
    """SuperKMeans in float32: every row used, no early stop, not hierarchical; it draws its own start."""

    name, module, distribution = "SuperKMeans", "superkmeans", "superkmeans"
    kinds = ("fit", "curve", "predict")
    takes_centers = False

    def fit(self, rows: Rows, task: Task) -> Fit:
        assert task.max_iter is not None
        model = self._model(rows, task.k, iters=task.max_iter, seed=task.seed)
        return Fit(model.train(rows), task.max_iter, "its own start, kmosaic's number of iterations")

    def predictor(self, rows: Rows, centers: NDArray[np.float64]) -> Callable[[], NDArray[Any]]:
        model = self._model(rows, len(centers))
        given = np.ascontiguousarray(centers, dtype=np.float32)
        return lambda: model.assign(rows, given)

    def _model(self, rows: Rows, k: int, **options: Any) -> Any:
        import superkmeans

        return superkmeans.SuperKMeans(
            k,
            rows.shape[1],
            hierarchical=False,
            quantizer="f32",
            sampling_fraction=1.0,
            max_points_per_cluster=len(rows),
            early_termination=False,
            **options,
        )


class OpenCv(Library):
    """OpenCV, for pixels. It starts from labels: the first assignment step is made for it, off the clock."""

    name, module, distribution = "OpenCV", "cv2", "opencv-python-headless"
    kinds = ("fit",)

    def fitter(self, rows: Rows, task: Task) -> Callable[[], Fit]:
        import cv2

        from kmosaic.engines import nearest_centers

        assert task.centers is not None
        assert task.max_iter is not None
        labels = nearest_centers(rows, task.centers).reshape(-1, 1)
        criteria = (cv2.TERM_CRITERIA_MAX_ITER, task.max_iter, 0.0)

        def fit() -> Fit:
            _, _, centers = cv2.kmeans(rows, task.k, labels, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
            return Fit(centers, criteria[1], "first assignment step off the clock")

        return fit


class GeoKMeans(Library):
    """geokmeans in float64 (Elkan, Hamerly, Annulus, Exponion, Ball and its own); it draws its own start.

    Its centroids are means only once it has converged.
    """

    name, module, distribution = "geokmeans", "geokmeans", "geokmeans"
    kinds = ("fit",)
    takes_centers = False

    def refusal(self, n_rows: int, k: int) -> str:
        return "it keeps float64 bounds for every row and centroid" if 8 * n_rows * k > ELKAN_BYTES else ""

    def prepare(self, rows: Rows) -> Rows:
        return np.ascontiguousarray(rows, dtype=np.float64)

    def fit(self, rows: Rows, task: Task) -> Fit:
        import geokmeans

        model = geokmeans.GeoKMeans(task.k, max_iter=task.max_iter, tol=0, random_state=task.seed).fit(rows)
        return Fit(model.cluster_centers_, int(model.n_iter_), "its own start")


KMOSAIC = "kmosaic"
LIBRARIES: dict[str, Library] = {
    library.name: library
    for library in (
        Kmosaic(),
        KmosaicAvx2(),
        KmosaicUntil(),
        SklearnLloyd(),
        SklearnElkan(),
        OneDal(),
        Faiss(),
        FaissSuper(),
        SuperKMeans(),
        OpenCv(),
        GeoKMeans(),
    )
}


def is_peer(name: str) -> bool:
    """Whether this is another library, not a variant of kmosaic."""
    return not isinstance(LIBRARIES[name], Kmosaic)
