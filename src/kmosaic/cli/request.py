"""What a command line asks of readers and estimators, put into their own terms."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import click

from kmosaic.cli.console import print_notes

if TYPE_CHECKING:
    from kmosaic.cluster import KMeans, MiniBatchKMeans
    from kmosaic.cluster.tree_estimator import TreeEstimator
    from kmosaic.images import ReadOptions
    from kmosaic.report import Provenance

    Estimator = KMeans | MiniBatchKMeans | TreeEstimator


class Options:
    """Base of options that belong together: a dataclass whose fields are called as on the command line."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> Self:
        """Take the options of these names out of ``given``."""
        return cls(**{name: given.pop(name) for name in cls.__dataclass_fields__ if name in given})


def refuse_without(needed: str, **given: object) -> None:
    """Raise click.UsageError where an option, by its parameter's name, is ``given`` without what it needs."""
    for name, value in given.items():
        if value is not None and value is not False:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} goes with {needed}; give that, or leave {option} out")


@dataclass(frozen=True)
class Reading(Options):
    """The options about reading images."""

    size: tuple[int, int] | None
    resize: str
    grey: bool
    rgb: bool
    labels_from: str
    strict: bool
    data_dir: Path | None
    test_fraction: float

    def options(self) -> ReadOptions:
        from kmosaic.images import ReadOptions

        if self.grey and self.rgb:
            raise click.UsageError("--grey and --rgb exclude each other; give one of them")
        return ReadOptions(
            size=self.size,
            fit=self.resize,
            mode="grey" if self.grey else "rgb" if self.rgb else "auto",
            strict=self.strict,
            test_fraction=self.test_fraction,
            labels_from=self.labels_from,
            data_dir=self.data_dir,
        )


@dataclass(frozen=True)
class Fitting(Options):
    """The options about the algorithm."""

    algorithm: str
    init: Literal["k-means++", "random"]
    n_init: int | None
    max_iter: int | None
    tol: float | None
    threads: int | None
    empty_clusters: str | None
    bisecting_strategy: str | None = None
    refine: int | None = None

    def estimator(self, n_clusters: int, seed: int | None = None) -> Estimator:
        """Return the estimator they describe, not fitted; what was not given keeps its default."""
        from kmosaic import cluster

        if self.algorithm not in ("kmeans", "spherical"):
            refuse_without("--algorithm kmeans or spherical", empty_clusters=self.empty_clusters)
        if self.algorithm != "bisecting":
            refuse_without("--algorithm bisecting", bisecting_strategy=self.bisecting_strategy)
        if self.algorithm != "two-level":
            refuse_without("--algorithm two-level", refine=self.refine)
        kind = {
            "kmeans": cluster.KMeans,
            "minibatch": cluster.MiniBatchKMeans,
            "spherical": cluster.SphericalKMeans,
            "bisecting": cluster.BisectingKMeans,
            "two-level": cluster.TwoLevelKMeans,
        }[self.algorithm]
        names = ("n_init", "max_iter", "tol", "empty_clusters", "bisecting_strategy", "refine")
        asked: dict[str, Any] = {name: value for name in names if (value := getattr(self, name)) is not None}
        made: Estimator = kind(n_clusters, init=self.init, n_threads=self.threads, random_state=seed, **asked)
        return made


def data_dir_option_again(data_dir: Path | None) -> str:
    """Return --data-dir as it is to follow in an advised command line; empty where it was not given.

    >>> data_dir_option_again(Path("my data")), data_dir_option_again(None)
    (" --data-dir 'my data'", '')
    """
    return "" if data_dir is None else f" --data-dir {shlex.quote(str(data_dir))}"


def warn_missing_data_folder(data_dir: Path | None, source: str | None = None) -> None:
    """Warn of a data folder that was named and is not there: a slip, or about to be made by a download.

    With a ``source``, only if that is a data set which lives in a data folder.
    """
    from kmosaic.images.registry import DATA_VARIABLE, IDX_DATASETS

    if source is not None and source.lower() not in IDX_DATASETS:
        return
    named, folder = "--data-dir", None if data_dir is None else str(data_dir)
    if folder is None:
        named, folder = DATA_VARIABLE, os.environ.get(DATA_VARIABLE)
    if folder and not os.path.isdir(folder):
        print_notes(f"kmosaic: warning: {named} names {folder}, which is no folder here")


def provenance(command: str, seeds: tuple[int, ...]) -> Provenance:
    """Return what reports say about how a result came about."""
    from kmosaic.configuration import show_config
    from kmosaic.report import Provenance, Versions

    return Provenance(command, seeds, Versions.here(show_config().instruction_set))
