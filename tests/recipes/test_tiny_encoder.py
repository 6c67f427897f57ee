"""The encoder that ships fills a mask by what stands on both sides of it."""

import pytest
import torch

from afina.backbones.backbone import Backbone, load_backbone

CASES = {  # what stands before, what stands behind, and the word between
    ("He opened the", "and went into the room."): "door",
    ("She looked out of the", "at the rain."): "window",
    ("They sat down at the", "and ate their supper."): "table",
    ("He put on his", "and went out into the street."): "hat",
    ("She shook her", "and said no."): "head",
    ("He took her by the", "and led her in."): "hand",
}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("builtin:tiny-encoder")


def rank(backbone: Backbone, before: str, behind: str, word: str) -> int:
    """How many words the model finds likelier."""
    tokenizer = backbone.frozen.tokenizer
    ids = tokenizer(f"{before}<mask> {behind}", return_tensors="pt").input_ids
    with torch.no_grad():
        logits = backbone.frozen.model(input_ids=ids).logits[0]
    place = int((ids[0] == tokenizer.mask_token_id).nonzero()[0, 0])
    (number,) = tokenizer(word, add_special_tokens=False).input_ids
    return int((logits[place] > logits[place, number]).sum())


def test_it_knows_words_by_what_is_around_them(backbone: Backbone) -> None:
    """Of 4,096 tokens; among other surroundings a word's rank is worse, by a factor of 7 or so."""
    words = list(CASES.values())
    ranks = torch.tensor([[rank(backbone, *around, word) for word in words] for around in CASES])
    own = ranks.diagonal()
    assert int((own < 30).sum()) >= 5
    others = ranks[~torch.eye(len(words), dtype=torch.bool)]
    apart = (1.0 + others).log().mean() - (1.0 + own).log().mean()
    assert float(apart) > 1.5, apart
