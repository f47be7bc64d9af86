"""kmosaic: k-means for imagery, exact, reproducible to the bit, and in place on 8- and 16-bit pixels.

>>> import numpy as np
>>> from kmosaic import KMeans
>>> pixels = np.array([[0, 0], [1, 0], [200, 255]], dtype=np.uint8)
>>> KMeans(n_clusters=2, random_state=0).fit(pixels).inertia_
0.5
"""

from importlib import import_module

from kmosaic.interpreters import refuse_sub_interpreters

refuse_sub_interpreters()

# As in typing, which takes long to import: Ctrl-C would find the command line not yet ready for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kmosaic.accelerate import patch_sklearn, unpatch_sklearn
    from kmosaic.cluster import (
        BisectingKMeans,
        KMeans,
        MiniBatchKMeans,
        SphericalKMeans,
        TwoLevelKMeans,
        load_model,
        save_model,
    )
    from kmosaic.configuration import Configuration, show_config
    from kmosaic.errors import (
        DataError,
        DownloadError,
        KmosaicError,
        MissingLibraryError,
        ModelFileError,
        OutputError,
    )
    from kmosaic.evaluate import ClusterClassifier
    from kmosaic.evaluate.sweep import sweep
    from kmosaic.version import __version__

# Imported when first asked for: `kmosaic --help` need not wait for scikit-learn.
_NAMES = {
    "accelerate": "patch_sklearn unpatch_sklearn",
    "cluster": "BisectingKMeans KMeans MiniBatchKMeans SphericalKMeans TwoLevelKMeans load_model save_model",
    "configuration": "Configuration show_config",
    "errors": "DataError DownloadError KmosaicError MissingLibraryError ModelFileError OutputError",
    "evaluate": "ClusterClassifier sweep",
    "version": "__version__",
}
_HOMES = {name: f"kmosaic.{home}" for home, names in _NAMES.items() for name in names.split()}

__all__ = [
    "BisectingKMeans",
    "ClusterClassifier",
    "Configuration",
    "DataError",
    "DownloadError",
    "KMeans",
    "KmosaicError",
    "MiniBatchKMeans",
    "MissingLibraryError",
    "ModelFileError",
    "OutputError",
    "SphericalKMeans",
    "TwoLevelKMeans",
    "__version__",
    "load_model",
    "patch_sklearn",
    "save_model",
    "show_config",
    "sweep",
    "unpatch_sklearn",
]


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module 'kmosaic' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
