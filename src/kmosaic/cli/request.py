"""What a command line asks of readers and estimators, put into their own terms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import click

if TYPE_CHECKING:
    from kmosaic.cluster import KMeans, MiniBatchKMeans
    from kmosaic.images import ReadOptions
    from kmosaic.report import Provenance


@dataclass(frozen=True)
class Reading:
    """The options about reading images."""

    size: tuple[int, int] | None
    resize: str
    grey: bool
    rgb: bool
    strict: bool
    data_dir: Path | None
    test_fraction: float

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> Self:
        """Take the options of these names out of ``given``."""
        return cls(**{name: given.pop(name) for name in cls.__dataclass_fields__})

    def options(self) -> ReadOptions:
        """Return them as the readers take them."""
        from kmosaic.images import ReadOptions

        if self.grey and self.rgb:
            raise click.UsageError("--grey and --rgb exclude each other; give one of them")
        return ReadOptions(
            size=self.size,
            fit=self.resize,
            mode="grey" if self.grey else "rgb" if self.rgb else "auto",
            strict=self.strict,
            test_fraction=self.test_fraction,
            data_dir=self.data_dir,
        )


@dataclass(frozen=True)
class Fitting:
    """The options about the algorithm."""

    algorithm: str
    init: Literal["k-means++", "random"]
    n_init: int | None
    max_iter: int | None
    tol: float | None
    threads: int | None
    empty_clusters: str | None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> Self:
        """Take the options of these names out of ``given``."""
        return cls(**{name: given.pop(name) for name in cls.__dataclass_fields__})

    def estimator(self, n_clusters: int, seed: int | None = None) -> KMeans | MiniBatchKMeans:
        """Return the estimator they describe, not fitted; what was not given keeps its default."""
        from kmosaic.cluster import KMeans, MiniBatchKMeans

        asked = {
            "n_init": self.n_init,
            "max_iter": self.max_iter,
            "tol": self.tol,
            "empty_clusters": self.empty_clusters,
        }
        if self.algorithm == "minibatch" and self.empty_clusters is not None:
            raise click.UsageError("--empty-clusters goes with --algorithm kmeans; leave it out")
        kind = KMeans if self.algorithm == "kmeans" else MiniBatchKMeans
        known: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        return kind(n_clusters, init=self.init, n_threads=self.threads, random_state=seed, **known)


def provenance(command: str, seeds: tuple[int, ...]) -> Provenance:
    """Return what reports say about how a result came about."""
    from kmosaic.configuration import show_config
    from kmosaic.report import Provenance, Versions

    return Provenance(command, seeds, Versions.here(show_config().instruction_set))
