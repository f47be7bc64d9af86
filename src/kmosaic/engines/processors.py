"""How many processors this process may use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import joblib


def available_processors() -> int:
    """Return the number of processors this process may use: its affinity and its cgroups' limits counted."""
    limit = cgroup_limit()
    return int(joblib.cpu_count()) if limit is None else min(int(joblib.cpu_count()), limit)


def cgroup_limit(root: Path = Path("/")) -> int | None:
    """Return the processors that the quotas of this process's cgroups come to, rounded up; None without one.

    A quota holds for all groups below, so each of the process's own group's ancestors is asked: joblib asks
    the topmost alone, which is the container's; a limit on a service or a user lies further down. (A cpuset
    needs no asking: the system makes it the affinity.)
    """
    quotas = [_quota(group) for group in _own_groups(root)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _own_groups(root: Path) -> Iterator[Path]:
    """This process's cgroup and its ancestors: of version 2, and of version 1's cpu controller."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        own = PurePosixPath(path.lstrip("/"))
        if ".." not in own.parts:  # a group outside this container's view
            yield from (mount / group for group in (own, *own.parents))


def _quota(group: Path) -> int | None:
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        # "max" of version 2, -1 of version 1: no limit.
        return math.ceil(int(quota) / int(period)) if quota != "max" and int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
