"""The file a download grows in, and the note that says what may be appended to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PartFile:
    """``<final name>.part`` beside the final name, and ``<final name>.part.json`` with its URL and validator.

    Both are left behind when a download breaks off, so that the next one goes on where it ended.
    """

    path: Path

    @property
    def note(self) -> Path:
        """Where the URL and the validator are kept."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def start(self, url: str, validator: str) -> None:
        """Forget what is there, and note where the bytes to come are from."""
        self.path.write_bytes(b"")
        self.note.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def noted(self, key: str) -> str:
        """The "url" the bytes came from, or their "validator", an ETag or a date; "" where it is unknown."""
        try:
            value = json.loads(self.note.read_text(encoding="utf-8"))[key]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return value if isinstance(value, str) else ""
