"""Photos, and vectors, that are the same; which of them to keep, and where the others go."""

from kmosaic.duplicates.finding import LIMIT, FindOptions, PhotoDuplicates, PhotoGroup, find_duplicates
from kmosaic.duplicates.keeping import RULES, kept, moves
from kmosaic.duplicates.near_vectors import COSINE_LIMIT, VectorFindOptions, find_near_vectors
from kmosaic.duplicates.thumbnails import ListedImages, Thumbnails, picture_of

__all__ = [
    "COSINE_LIMIT",
    "LIMIT",
    "RULES",
    "FindOptions",
    "ListedImages",
    "PhotoDuplicates",
    "PhotoGroup",
    "Thumbnails",
    "VectorFindOptions",
    "find_duplicates",
    "find_near_vectors",
    "kept",
    "moves",
    "picture_of",
]
