"""The line under every table: the machine, the date and the versions."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def machine(packages: Sequence[str]) -> str:
    """One Markdown line: processor, cores, memory, system, day, Python and ``packages``.

    Raises PackageNotFoundError where one of ``packages`` is not installed.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{processor()}, {os.cpu_count()} cores, {memory_gib():.0f} GiB, {platform.system()} "
        f"{platform.machine()}; {datetime.now(UTC):%Y-%m-%d}; "
        f"Python {platform.python_version()}, {versions}."
    )


def processor() -> str:
    """The processor's name as the system gives it."""
    details = Path("/proc/cpuinfo")
    text = details.read_text() if details.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()


def memory_gib() -> float:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
