"""Whether the packages of retrieval are installed."""

from importlib.util import find_spec

from afina.errors import InputError


def need_rag() -> None:
    """Refuse to go on where they are not; raises InputError with the command that installs them."""
    for package in ("lancedb", "pypdf"):
        if find_spec(package) is None:
            raise InputError(f"{package} is not installed: run pip install 'afina[rag]'")
