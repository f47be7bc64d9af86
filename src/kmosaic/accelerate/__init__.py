"""scikit-learn's k-means on kmosaic's engines: the same classes, parameters, seeds and results, sooner.

>>> import kmosaic
>>> from sklearn.cluster import KMeans
>>> kmosaic.patch_sklearn()
>>> KMeans(n_clusters=2, random_state=0).fit([[0.0], [1.0], [8.0]]).cluster_centers_.tolist()
[[0.5], [8.0]]
>>> kmosaic.unpatch_sklearn()
"""

from kmosaic.accelerate.patching import is_patched, patch_sklearn, unpatch_sklearn

__all__ = ["is_patched", "patch_sklearn", "unpatch_sklearn"]
