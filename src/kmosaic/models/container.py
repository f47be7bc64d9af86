"""The container of model files: one JSON document and some arrays, with a checksum over both.

It is a safetensors file: the arrays as tensors, everything else as one JSON document with a schema version
under the key ``kmosaic`` of the header's metadata. Nothing in it can be executed. A SHA-256 over document and
arrays finds damage; it is no signature, so whoever reads a document checks every field of it all the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from kmosaic.errors import ModelFileError
from kmosaic.files import atomic_write, read_at_most
from kmosaic.models.validation import in_short, printable_text, whole_number

# A file past these is refused before it is read: 4 GiB is 256 centroids of 1400 x 1400 grey pixels, and the
# header of 100,000 named features takes about 2 MiB.
MAX_FILE_BYTES = 1 << 32
MAX_HEADER_BYTES = 1 << 25
_METADATA_KEY = "kmosaic"
# Files of images came first, and name no kind.
_IMAGES = "images"
_USES = {
    _IMAGES: "a model of images or vectors; use it with `kmosaic predict` and `kmosaic show`",
    "scene": "a model of a scene's classes; use it with `kmosaic segment SCENE --model`",
}

Document = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Schema:
    """What one kind of model file holds.

    ``kind`` is "images" or "scene"; ``newest`` the highest schema version that is read; ``maker`` the command
    that makes such files; ``dtypes`` tells which of safetensors' dtypes the array of a name may have.
    """

    kind: str
    newest: int
    maker: str
    dtypes: Callable[[str], tuple[str, ...]]

    @property
    def not_a_model(self) -> str:
        """The message for a file of another format."""
        return f"not a kmosaic model file; name one made with {self.maker}"

    @property
    def remedy(self) -> str:
        """The advice for a damaged file."""
        return f"copy the file again, or make it again with {self.maker}"


def write_container(
    path: str | os.PathLike[str], document: Document, arrays: Arrays, *, overwrite: bool = False
) -> None:
    """Write a document and its arrays to one file, whole or not at all; equal content makes equal bytes.

    Raises OutputError when the file exists and ``overwrite`` is false, or cannot be written; ModelFileError
    when the content is larger than a model file may be.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    document = {**document, "sha256": _digest(document, arrays)}
    # One metadata key: safetensors keeps them in a hash map, and two would come out in any order.
    data = safetensors.numpy.save(arrays, metadata={_METADATA_KEY: _canonical_json(document)})
    if len(data) > MAX_FILE_BYTES or int.from_bytes(data[:8], "little") > MAX_HEADER_BYTES:
        remedy = "use fewer clusters, smaller images or shorter names"
        raise ModelFileError(f"the model takes {len(data)} bytes, more than a model file may have; {remedy}")
    with atomic_write(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def read_container(path: str | os.PathLike[str], schema: Schema, build: Callable[[Document, Arrays], T]) -> T:
    """Return what ``build`` makes of a file's document and arrays, whose checksum holds.

    ``build`` gets the document without ``kind`` and ``sha256``, and raises ValueError for
    anything that is not as it should be.

    Raises ModelFileError when the file is missing, damaged, truncated, of another kind, or of a newer schema;
    the message says which, and what to do.
    """
    source = Path(path)
    data = _read_bounded(source, schema)
    try:
        return build(*_parse_container(data, schema))
    except ModelFileError as error:
        raise ModelFileError(f"{source}: {in_short(error)}") from None
    except (ValueError, OverflowError, RecursionError, SafetensorError) as error:
        raise ModelFileError(f"{source}: damaged model file ({in_short(error)}); {schema.remedy}") from error


def check_fields(document: Document, expected: set[str]) -> None:
    """Refuse a document whose fields are not just those expected."""
    odd = sorted(set(document) ^ expected)
    if odd:
        raise ValueError(f"fields missing or unknown: {', '.join(odd)[:200]!r}")


def json_value(value: Any) -> Any:
    """Return a parameter as a document can hold it, or a description."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return printable_text(value)
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}"
    return f"a {getattr(value, '__name__', type(value).__name__)}"


def _read_bounded(source: Path, schema: Schema) -> bytes:
    """The file's bytes, after looking at what it claims in its first nine."""
    try:
        if source.exists() and not source.is_file():
            raise ModelFileError(f"{source}: {schema.not_a_model}")
        _check_start(read_at_most(source, 8), source.stat().st_size, source, schema)
        return read_at_most(source, MAX_FILE_BYTES)
    except OSError as error:
        raise ModelFileError(
            f"{source}: cannot be read ({error.strerror}); check its name and permissions"
        ) from error


def _check_start(start: bytes, size: int, source: Path, schema: Schema) -> None:
    if size > MAX_FILE_BYTES:
        raise ModelFileError(f"{source}: {size} bytes, more than a model file may have; name another file")
    header_bytes = int.from_bytes(start[:8], "little")
    if len(start) < 9 or start[8:] != b"{" or header_bytes > MAX_HEADER_BYTES:
        raise ModelFileError(f"{source}: {schema.not_a_model}")
    if 8 + header_bytes > size:
        raise ModelFileError(f"{source}: truncated model file, {size} bytes; {schema.remedy}")


def _parse_container(data: bytes, schema: Schema) -> tuple[Document, Arrays]:
    """The document and the arrays, of which kind, version, dtypes and checksum have been checked."""
    header = _parse_json(data[8 : 8 + int.from_bytes(data[:8], "little")].decode())
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(_METADATA_KEY), str):
        raise ModelFileError(schema.not_a_model)
    document = _parse_json(metadata[_METADATA_KEY])
    _check_kind(document, schema)
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.get("dtype") not in schema.dtypes(name):
            raise ValueError(f"array {name[:80]!r} is not one of this schema's")
    arrays = safetensors.numpy.load(data)
    if not set(document).isdisjoint(arrays) or "sha256" not in document:
        raise ValueError("fields missing or unknown")
    if document.pop("sha256") != _digest(document, arrays):
        raise ValueError("the content does not match its checksum")
    document.pop("kind", None)
    return document, arrays


def _parse_json(text: str) -> Document:
    def once(pairs: list[tuple[str, Any]]) -> Document:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise ValueError("a key appears twice in the header")
        return entries

    parsed = json.loads(text, object_pairs_hook=once)
    if not isinstance(parsed, dict):
        raise ValueError("the header is not a JSON object")
    return parsed


def _check_kind(document: Document, schema: Schema) -> None:
    kind = document.get("kind", _IMAGES)
    version = whole_number("schema_version", document.get("schema_version"), low=1)
    if kind != schema.kind and isinstance(kind, str) and kind in _USES:
        raise ModelFileError(_USES[kind])
    if version > schema.newest:
        raise ModelFileError(
            f"schema version {version}, and this kmosaic reads up to {schema.newest}; upgrade it"
        )
    if kind != schema.kind:
        raise ValueError(f"kind={str(kind)[:80]!r} is unknown")


def _canonical_json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _digest(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(_canonical_json(document).encode())
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].dtype.name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
