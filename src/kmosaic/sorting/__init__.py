"""Files of a folder, linked, copied or moved into other folders, and a manifest by which that is undone."""

from kmosaic.sorting.manifest import MANIFEST_NAME
from kmosaic.sorting.placing import Placed, Placement, place_files
from kmosaic.sorting.undo import Undone, undo

__all__ = ["MANIFEST_NAME", "Placed", "Placement", "Undone", "place_files", "undo"]
