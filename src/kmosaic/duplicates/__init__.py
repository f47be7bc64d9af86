"""Photos that show the same, found in folders; which of them to keep, and where the others go."""

from kmosaic.duplicates.finding import LIMIT, FindOptions, PhotoDuplicates, PhotoGroup, find_duplicates
from kmosaic.duplicates.keeping import RULES, kept, moves
from kmosaic.duplicates.thumbnails import Thumbnails, picture_of

__all__ = [
    "LIMIT",
    "RULES",
    "FindOptions",
    "PhotoDuplicates",
    "PhotoGroup",
    "Thumbnails",
    "find_duplicates",
    "kept",
    "moves",
    "picture_of",
]
