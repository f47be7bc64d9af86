"""kmosaic's own errors; each message says what was given, what is needed and what to do."""

from __future__ import annotations


class KmosaicError(Exception):
    """Base of kmosaic's own errors: the command line prints the message on one line and exits with 1."""


class DataError(KmosaicError, ValueError):
    """Data that cannot be read, or cannot be used as it is."""


class ModelFileError(KmosaicError, ValueError):
    """A model file that is damaged, truncated, foreign or of a schema this version does not read."""


class OutputError(KmosaicError, OSError):
    """An output that exists already, or that cannot be written."""


class DownloadError(KmosaicError, OSError):
    """A download that failed on every mirror, or whose content is not what was published."""


class MissingLibraryError(KmosaicError, ImportError):
    """An optional library that is not installed; the message has the line that installs it."""
