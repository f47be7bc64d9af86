"""Files of a folder, linked, copied or moved into other folders, and a manifest by which that is undone."""

from kmosaic.sorting.by_cluster import check_apart, cluster_folders, files_of, safe_name, sorted_by_cluster
from kmosaic.sorting.manifest import MANIFEST_NAME, find_manifest
from kmosaic.sorting.placing import Placed, Placement, place_files
from kmosaic.sorting.undo import Undone, undo

__all__ = [
    "MANIFEST_NAME",
    "Placed",
    "Placement",
    "Undone",
    "check_apart",
    "cluster_folders",
    "files_of",
    "find_manifest",
    "place_files",
    "safe_name",
    "sorted_by_cluster",
    "undo",
]
