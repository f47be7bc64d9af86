"""Sweeps over the number of clusters, scores, recommendations, and naming clusters by majority vote."""

from kmosaic.evaluate.groups import cluster_groups
from kmosaic.evaluate.names_file import read_names
from kmosaic.evaluate.naming import ClusterClassifier, Votes, count_votes
from kmosaic.evaluate.recommend import Knee, Recommendation, find_knee, recommend
from kmosaic.evaluate.representatives import Outlier, Representative, outliers, representatives
from kmosaic.evaluate.runs import TABLE_COLUMNS, SweepResult, SweepRun
from kmosaic.evaluate.starting_document import (
    STARTING_DOCUMENT,
    StartingDocumentRow,
    starting_document_row,
)
from kmosaic.evaluate.summary import ClusterSummary, summarise
from kmosaic.evaluate.sweep import N_CLUSTERS, SweepOptions, sweep
from kmosaic.evaluate.table import Spread, SweepTableRow

__all__ = [
    "N_CLUSTERS",
    "STARTING_DOCUMENT",
    "TABLE_COLUMNS",
    "ClusterClassifier",
    "ClusterSummary",
    "Knee",
    "Outlier",
    "Recommendation",
    "Representative",
    "Spread",
    "StartingDocumentRow",
    "SweepOptions",
    "SweepResult",
    "SweepRun",
    "SweepTableRow",
    "Votes",
    "cluster_groups",
    "count_votes",
    "find_knee",
    "outliers",
    "read_names",
    "recommend",
    "representatives",
    "starting_document_row",
    "summarise",
    "sweep",
]
