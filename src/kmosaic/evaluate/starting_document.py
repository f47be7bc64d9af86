"""The numbers of the notebook that kmosaic starts from, to be set beside measured ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StartingDocumentRow:
    """One line of the notebook's table: mini-batch k-means on the 60,000 MNIST training images.

    ``inertia`` is of pixels scaled to 0..1; the scores are fractions, of the training images unless named
    otherwise.
    """

    n_clusters: int
    inertia: float
    homogeneity: float
    accuracy_train: float
    accuracy_test: float | None = None


STARTING_DOCUMENT = (
    StartingDocumentRow(10, 2_389_283.0, 0.448, 0.521),
    StartingDocumentRow(16, 2_204_632.0, 0.568, 0.669),
    StartingDocumentRow(36, 1_976_297.0, 0.669, 0.734),
    StartingDocumentRow(64, 1_822_661.0, 0.732, 0.804),
    StartingDocumentRow(144, 1_635_227.0, 0.804, 0.866),
    StartingDocumentRow(256, 1_512_363.0, 0.838, 0.894, accuracy_test=0.899),
    StartingDocumentRow(400, 1_432_057.0, 0.862, 0.910),
)
"""The notebook's table, by rising number of clusters."""


def starting_document_row(n_clusters: int) -> StartingDocumentRow | None:
    """Give the notebook's line for this number of clusters, or None where it has none.

    Examples
    --------
    >>> starting_document_row(256).accuracy_test
    0.899
    """
    return next((row for row in STARTING_DOCUMENT if row.n_clusters == n_clusters), None)
