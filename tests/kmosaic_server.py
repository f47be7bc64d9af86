"""A `kmosaic` for shells that starts at once: a server, its libraries imported, forks for every command.

kmosaic itself is imported by each command anew. The command hands over its arguments, folder, environment and
standard streams, and ends as its fork did.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Large, and without threads of their own.
_LIBRARIES = (
    "httpx",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "numpy",
    "PIL.Image",
    "rasterio",
    "rich.console",
    "scipy.sparse.linalg",
    "sklearn.datasets",
    "sklearn.metrics",
)
# Imports little, for the sake of its start; the path of a socket in a deep folder would be too long.
_CLIENT = """
import json, os, socket, sys
request = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
os.chdir(sys.argv[1])
with socket.socket(socket.AF_UNIX) as server:
    server.connect("socket")
    socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(request)
    code = server.recv(1)
sys.exit(code[0] if code else 1)
"""


@contextmanager
def kmosaic_command(folder: Path) -> Iterator[Path]:
    """Serve a command of that name in ``folder`` for as long."""
    (folder / "client.py").write_text(_CLIENT, encoding="utf-8")
    command = folder / "kmosaic"
    client = f'"{sys.executable}" -ISE "{folder}/client.py" "{folder}"'
    command.write_text(f'#!/bin/sh\nexec {client} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    server = subprocess.Popen([sys.executable, __file__], cwd=folder, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"listening\n"
        yield command
    finally:
        server.terminate()
        server.communicate()


def serve() -> None:
    """Answer in this folder until it is ended."""
    for name in _LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue  # the commands that need it say so
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        listening.listen()
        print("listening", flush=True)
        while True:
            asking, _ = listening.accept()
            if _fork() == 0:
                break
            asking.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if child := _fork():
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asking.sendall(bytes([code if code >= 0 else 128 - code]))
        return
    with asking:
        _become(asking)
    from kmosaic.__main__ import run

    run()


def _fork() -> int:
    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):  # of threads, which NumPy has
        return os.fork()


def _become(asking: socket.socket) -> None:
    """Take on what the command handed over."""
    size, streams, *_ = socket.recv_fds(asking, 8, 3)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    with asking.makefile("rb") as request:
        arguments, folder, environment = json.loads(request.read(int.from_bytes(size, "big")))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["kmosaic", *arguments]


if __name__ == "__main__":
    serve()
