"""Which files of a folder are documents, and that nothing outside is opened."""

import os
from pathlib import Path

import pytest

from afina.retrieval import folder as module
from afina.retrieval.folder import list_folder, read_bytes


def test_files_are_listed_by_name_with_those_of_inner_folders(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("z.txt", "a.MD", "b/page.html", "b/c/paper.pdf", "picture.png", "b/noext"):
        (tmp_path / name).write_text("x")
    found = list_folder(tmp_path)
    assert found.files == ("a.MD", "z.txt", "b/page.html", "b/c/paper.pdf")
    assert found.skipped == ("picture.png", "b/noext")
    assert found.refused == ()


def test_what_is_hidden_and_what_is_an_index_is_not_looked_at(tmp_path: Path) -> None:
    for name in (".git", "index/passages.lance"):
        (tmp_path / name).mkdir(parents=True)
    for name in (".hidden.txt", ".git/a.txt", "index/a.txt", "index/passages.lance/b.txt"):
        (tmp_path / name).write_text("x")
    assert list_folder(tmp_path).files == ()
    assert list_folder(tmp_path).skipped == ()


def test_no_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    for each in (outside, inside):
        each.mkdir()
    (outside / "secret.txt").write_text("secret")
    (inside / "link.txt").symlink_to(outside / "secret.txt")
    (inside / "folder").symlink_to(outside)
    (inside / "up.txt").symlink_to("../outside/secret.txt")
    found = list_folder(inside)
    assert found.files == ()
    assert set(found.skipped) == {"link.txt", "folder", "up.txt"}
    with pytest.raises(ValueError, match="cannot be read"):
        read_bytes(inside / "link.txt")


def test_a_pipe_is_left_alone_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert list_folder(tmp_path).skipped == ("pipe.txt",)
    with pytest.raises(ValueError, match="expected a regular file"):
        read_bytes(tmp_path / "pipe.txt")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a\nb.txt", "control character"),
        ("a\x1b[2J.txt", "control character"),
        ("a\u202etxt.txt", "control character"),
        ("a\\..\\secret.txt", "write '/' between folders"),
        ("%2e%2e%2fsecret.txt", "percent-encoded"),
        ("%252e.txt", "percent-encoded"),
        ("file:x.txt", "URL or names a drive"),
        ("~root.txt", "relative"),
    ],
)
def test_names_that_could_mislead_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / name).write_text("x")
    found = list_folder(tmp_path)
    assert found.files == ()
    (refusal,) = found.refused
    assert reason in refusal.reason
    assert str(refusal).isprintable()


def test_a_name_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.txt")).write_text("x")
    (refusal,) = list_folder(tmp_path).refused
    str(refusal).encode()


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 10)
    (tmp_path / "a.txt").write_text("x" * 11)
    with pytest.raises(ValueError, match="expected at most 10 bytes, came 11: divide the file"):
        read_bytes(tmp_path / "a.txt")
