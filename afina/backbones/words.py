"""Label words as a model's tokens."""

from collections.abc import Mapping, Sequence

from afina.backbones.frozen import Frozen
from afina.errors import InputError


def continuation(frozen: Frozen, front: str, word: str) -> list[int]:
    """The ids of a word as it is written behind a text, with a space between.

    Tokenizers differ in where the space goes, so it is read off the two written together.
    """
    before, both = frozen.encode(front), frozen.encode(f"{front} {word}")
    if both[: len(before)] == before and len(both) > len(before):
        return both[len(before) :]
    return frozen.encode(f" {word}")


def label_tokens(
    frozen: Frozen, front: str | None, labels: Sequence[str], words: Mapping[str, str]
) -> list[list[int]]:
    """The ids of each label's word behind a text; a label without a word of its own is its word.

    Where ``front`` is None nothing stands before it that a word would keep a space from.

    Raises:
        InputError: two labels read alike.
    """
    shown = [words.get(label, label) for label in labels]
    tokens = [
        frozen.encode(word) if front is None else continuation(frozen, front, word)
        for word in shown
    ]
    if len({tuple(ids) for ids in tokens}) < len(tokens):
        raise InputError(
            "two labels have the same tokens for this model; give them other words in task.toml"
        )
    return tokens
