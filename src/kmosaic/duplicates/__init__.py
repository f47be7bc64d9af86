"""Photos that show the same, found in folders; which of them to keep."""

from kmosaic.duplicates.finding import LIMIT, FindOptions, PhotoDuplicates, PhotoGroup, find_duplicates
from kmosaic.duplicates.thumbnails import Thumbnails

__all__ = ["LIMIT", "FindOptions", "PhotoDuplicates", "PhotoGroup", "Thumbnails", "find_duplicates"]
