"""The work on one strip, wherever the strip is read: labels, and with them distances and sums by class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.map.classifier import Classifier, TwoNearest
from kmosaic.scenes.scene import Strip
from kmosaic.scenes.stats.class_statistics import ClassSums


@dataclass(frozen=True, eq=False)
class StripResult:
    """The labels of a strip, and what else was requested.

    ``labels`` is (n_lines, width), -1 where a pixel is missing; ``detail`` has the two nearest classes, and
    ``sums`` what to merge, in order.
    """

    labels: NDArray[Any]
    detail: TwoNearest | None
    sums: list[ClassSums]

    def with_labels_as(self, dtype: np.dtype[Any]) -> StripResult:
        """Return the same result with labels of another dtype."""
        labels = self.labels.astype(dtype)
        detail = self.detail and replace(self.detail, nearest=labels, second=self.detail.second.astype(dtype))
        return replace(self, labels=labels, detail=detail)


@dataclass(frozen=True, eq=False)
class StripTask:
    """Labels a strip; ``two_nearest`` adds the two nearest classes, empty ``sums`` the sums by class."""

    classifier: Classifier
    two_nearest: bool = False
    sums: ClassSums | None = None

    def __call__(self, strip: Strip) -> StripResult:
        """Label a strip and compute the requested sums.

        Labels are of the smallest dtype that holds them, since results are sent from process to process.
        """
        detail = self.classifier.two_nearest(strip) if self.two_nearest else None
        labels = self.classifier.label(strip) if detail is None else detail.nearest
        sums = self.sums.parts(strip.values, labels) if self.sums else []
        return StripResult(labels, detail, sums).with_labels_as(
            np.min_scalar_type(-len(self.classifier.centers))
        )
