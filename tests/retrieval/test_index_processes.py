"""Processes: two read while one writes, and a writer that is killed does no harm.

Each is a Python of its own, as lancedb's threads do not live through a fork.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from afina.retrieval.index import make_index, open_index
from afina.retrieval.source import Source
from afina.retrieval.update import Changes, update_index
from tests.retrieval.texts import WORDS, document, source

ROOT = Path(__file__).parent.parent.parent
BEGIN = """
import os, sys
from pathlib import Path
from dataclasses import replace
from afina.retrieval import update as module
from afina.retrieval.embedding import Embedding
from afina.retrieval.index import open_index
from afina.retrieval.update import update_index
from tests.retrieval.test_index_processes import edition
from tests.retrieval.texts import WORDS, vectors
index = open_index(Path(sys.argv[1])).with_embedding(WORDS)
module.GROUP = 1
"""
WRITE = """
for number in range(1, 7):
    update_index(index, edition(number))
    print(number, flush=True)
"""
READ = """
print("ready", flush=True)
last = 0
while last < 6:
    found = index.search("edition", 10, mode=sys.argv[2])
    assert {each.id for each in found} == {"a#0", "a#1", "b#0"}, found
    editions = {each.id: int(each.text.split()[1]) for each in found}
    assert editions["a#0"] == editions["a#1"] >= last, (editions, last)
    last = editions["a#0"]
"""
DIE = """
def dying(texts):
    if any(text.startswith("edition 1 of b") for text in texts):
        os.kill(os.getpid(), 9)
    return vectors(texts)
update_index(replace(index, embedding=Embedding("w", "ab", dying)), edition(1))
"""


def edition(number: int) -> Source:
    """Two documents whose every passage tells the edition."""
    return source(
        document("a", f"edition {number} of a", f"edition {number} of a, continued"),
        document("b", f"edition {number} of b"),
    )


@contextmanager
def python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone at the end, whatever came of it."""
    command = [sys.executable, "-W", "error", "-c", BEGIN + code, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def test_two_read_whole_documents_while_one_writes(tmp_path: Path) -> None:
    index = make_index(tmp_path / "i", embedding=WORDS)
    update_index(index, edition(0))
    folder = str(index.folder)
    with ExitStack() as stack:
        readers = [stack.enter_context(python(READ, folder, mode)) for mode in ("lexical", "dense")]
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        writer = stack.enter_context(python(WRITE, folder))
        for process in (writer, *readers):
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err


def test_a_killed_writer_leaves_each_document_as_it_was_or_as_it_shall_be(tmp_path: Path) -> None:
    index = make_index(tmp_path / "i", embedding=WORDS)
    update_index(index, edition(0))
    with python(DIE, str(index.folder)) as process:
        process.communicate(timeout=60)
        assert process.returncode == -9
    opened = open_index(index.folder).with_embedding(WORDS)
    for mode in opened.modes:
        texts = {each.text for each in opened.search("edition", 10, mode=mode)}
        assert texts == {"edition 1 of a", "edition 1 of a, continued", "edition 0 of b"}
    assert update_index(opened, edition(1)) == Changes(changed=1, unchanged=1)
    assert len(opened.search("edition 1", 10, mode="lexical")) == 3
