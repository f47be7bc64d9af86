"""The script of a page: small modules made into one, the charting libraries, and what the page may run.

A page opened from a file can load no module from another, so those that its entry imports are put before it,
in one module. That asks little of them: imports of names from files beside, without renaming, and no two
modules with the same name at the top. Then the page's policy can name everything that may run by its digest,
and nothing else does, whatever a file's name or a label may hold.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup

from kmosaic.report.wording import clean

SCRIPTS = Path(__file__).with_name("scripts")
VENDOR = Path(__file__).with_name("vendor")
LIBRARIES = ("d3.min.js", "plot.umd.min.js")
"""In the order in which they need each other; see ``vendor/README.md`` for where they come from."""

_IMPORT = re.compile(r'^import \{[^}]*\} from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) )", re.MULTILINE)
_TOP_NAME = re.compile(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)
_LEFT_OVER = re.compile(r"^\s*(?:import|export)\b.*", re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """One script element: its type ("" for a plain script) and its text."""

    type: str
    text: Markup

    @property
    def digest(self) -> str:
        """What a content security policy calls the script by."""
        return f"'sha256-{base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode('ascii')}'"


@cache
def page_scripts(entry: Path) -> tuple[Script, ...]:
    """Return the libraries, and the module ``entry`` with all that it imports, in their order."""
    libraries = [(VENDOR / name).read_text(encoding="utf-8") for name in LIBRARIES]
    return (*(_script("", text) for text in libraries), _script("module", joined_modules(entry)))


def joined_modules(entry: Path) -> str:
    """Return ``entry`` and the modules it imports as one, those imported first.

    Raises ValueError when a module imports or exports in another way than named, or two have the same name at
    the top.
    """
    texts: dict[Path, str] = {}
    _collect(entry.resolve(), texts)
    owners: dict[str, Path] = {}
    for path, text in texts.items():
        for name in _TOP_NAME.findall(text):
            if name in owners:
                raise ValueError(
                    f"{path.name} and {owners[name].name} both name {name!r} at the top; rename one"
                )
            owners[name] = path
    return "\n".join(texts.values())


def _collect(path: Path, texts: dict[Path, str]) -> None:
    source = path.read_text(encoding="utf-8")
    for imported in _IMPORT.findall(source):
        target = (path.parent / imported).resolve()
        if target not in texts:
            _collect(target, texts)
    text = _EXPORT.sub("", _IMPORT.sub("", source))
    if left := _LEFT_OVER.search(text):
        raise ValueError(f"{path.name}: {left.group().strip()!r} is no import or export of plain names")
    texts[path] = text


def _script(type: str, text: str) -> Script:
    if re.search(r"</script|<!--", text, re.IGNORECASE):
        raise ValueError("a script that holds '</script' or '<!--' would end early in a page")
    return Script(type, Markup(text))


def policy(scripts: tuple[Script, ...], *, beside: bool = False) -> str:
    """Return the content security policy of a page that runs these scripts and nothing else.

    It shows the pictures that it holds, and where they are ``beside`` it those from the same place.
    """
    allowed = " ".join(script.digest for script in scripts)
    pictures = "data: 'self' file:" if beside else "data:"
    return f"default-src 'none'; img-src {pictures}; style-src 'unsafe-inline'; script-src {allowed}"


def json_text(data: object) -> Markup:
    """Return ``data`` as JSON that no HTML parser mistakes for markup, every text cleaned.

    >>> json_text({"name": "</script>&"})
    Markup('{"name":"\\\\u003c/script\\\\u003e\\\\u0026"}')
    """
    text = json.dumps(_cleaned(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _cleaned(data: object) -> object:
    if isinstance(data, str):
        return data if data.startswith("data:image/") else clean(data)
    if isinstance(data, dict):
        return {str(name): _cleaned(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_cleaned(value) for value in data]
    return data
