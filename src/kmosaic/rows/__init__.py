"""Rows that need not fit into memory, or that are sparse: files, folders of shards, array-likes, CSR."""

from kmosaic.rows.opening import is_source, open_source
from kmosaic.rows.source import RowSource, SourceBlocks
from kmosaic.rows.sparse import is_sparse, sparse_rows

__all__ = ["RowSource", "SourceBlocks", "is_source", "is_sparse", "open_source", "sparse_rows"]
