"""Model files taken apart, and forged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors.numpy


def document_of(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["kmosaic"])  # type: ignore[no-any-return]


def forge(path: Path, changes: dict[str, Any], arrays: dict[str, Any] | None = None) -> None:
    """Write a model file with fields changed (None removes an array) and the checksum that goes with them."""
    tensors = safetensors.numpy.load_file(path)
    tensors |= arrays or {}
    tensors = {name: array for name, array in tensors.items() if array is not None}
    document = {name: value for name, value in document_of(path).items() if name != "sha256"}
    document |= changes
    document = {name: value for name, value in document.items() if value != "<absent>"}
    digest = hashlib.sha256(
        json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
            "utf-8", "replace"
        )
    )
    for name in sorted(tensors):
        digest.update(f"{name}{tensors[name].dtype.name}{tensors[name].shape}".encode())
        digest.update(tensors[name].tobytes())
    document["sha256"] = digest.hexdigest()
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"kmosaic": json.dumps(document)}))
