"""Writing a report to a file, whose suffix says in which format."""

from pathlib import Path

from afina.comparing import Compared
from afina.disk import Disk, replace_file
from afina.errors import InputError
from afina.page.data import report_data
from afina.page.page import html_page
from afina.page.texts import FORMATS
from afina.store.store import Store

WRITERS = {".html": html_page, **FORMATS}


def check_suffix(path: Path) -> None:
    """Refuse a file of no known format, before anything is done.

    Raises:
        InputError: its suffix is unknown.
    """
    if path.suffix not in WRITERS:
        raise InputError(f"expected a report that ends in {', '.join(WRITERS)}, got {str(path)!r}")


def write_report(store: Store, compared: Compared, path: Path, *, inputs: bool = True) -> None:
    """Write the report of a comparison, with the data's inputs or without.

    The file is whole or as it was before.

    Raises:
        InputError: its suffix is unknown, or it cannot be written.
        SpaceError: the disk is full.
    """
    check_suffix(path)
    facts = report_data(store, compared, inputs=inputs)
    replace_file(path, WRITERS[path.suffix](facts).encode(), Disk())
