"""The script of a page: modules joined, libraries as published, and data that is no markup."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import kmosaic.explain
from kmosaic.report.scripting import (
    LIBRARIES,
    SCRIPTS,
    VENDOR,
    joined_modules,
    json_text,
    page_scripts,
    policy,
)

ENTRIES = [
    SCRIPTS / "fit.js",
    SCRIPTS / "sweep.js",
    Path(kmosaic.explain.__file__).parent / "scripts" / "lesson.js",
]


def write(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    return folder / "entry.js"


def test_what_is_imported_comes_first_and_once(tmp_path: Path):
    entry = write(
        tmp_path,
        entry='import { b } from "./b.js";\nimport {\n  c,\n} from "./c.js";\n\nb(c);\n',
        b='import { c } from "./c.js";\n\nexport function b() { return c; }\n',
        c="export const c = 1;\n",
    )
    joined = joined_modules(entry)
    assert joined.split() == ["const", "c", "=", "1;", "function", "b()", "{", "return", "c;", "}", "b(c);"]


def test_what_cannot_be_joined_is_refused(tmp_path: Path):
    for text, message in [
        ('import * as all from "./b.js";\n', r"entry.js.*import \* as all"),
        ('import b from "./b.js";\n', "entry.js.*import b from"),
        ("export default 1;\n", "entry.js.*export default 1"),
        ('export { b } from "./b.js";\n', "entry.js.*export { b }"),
        ('import { b } from "./b.js";\n\nfunction b() {}\n', "entry.js.*b.js.*'b'"),
    ]:
        entry = write(tmp_path, entry=text, b="export const b = 1;\n")
        with pytest.raises(ValueError, match=message):
            joined_modules(entry)


def test_our_scripts_parse_no_markup_and_ask_no_network():
    for entry in ENTRIES:
        joined = joined_modules(entry)
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", joined
        )
        assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\(", joined)


def test_the_policy_names_every_script():
    for entry in ENTRIES:
        scripts = page_scripts(entry)
        assert [script.type for script in scripts] == ["", "", "module"]
        assert all(script.digest in policy(scripts) for script in scripts)
        assert "unsafe-inline" not in policy(scripts).partition("script-src")[2]


def test_libraries_are_as_they_were_published():
    listed = (VENDOR / "README.md").read_text(encoding="utf-8")
    for name in LIBRARIES:
        digest = hashlib.sha256((VENDOR / name).read_bytes()).hexdigest()
        row = next(line for line in listed.splitlines() if line.startswith(f"| {name} "))
        assert digest in row
        licence = re.search(r"\[(\w+\.LICENSE)\]", row)[1]
        assert "Permission to use" in (VENDOR / licence).read_text(encoding="utf-8")


def test_data_holds_no_markup_and_comes_back_clean():
    data = {
        "a": "</script><!-- & '\"",
        "b": ["\udcff\u202e\n", 1.5, None, True],
        3: "data:image/png;base64,ab+/=",
    }
    text = json_text(data)
    assert not set("<>&") & set(text)
    assert json.loads(text) == {
        "a": "</script><!-- & '\"",
        "b": ["\ufffd\ufffd", 1.5, None, True],
        "3": "data:image/png;base64,ab+/=",
    }


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        json_text({"a": float("nan")})
