"""Afina's side of the serving benchmark."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from afina.backbones.backbone import load_backbone
from afina.backbones.decoder import Decoder
from afina.backbones.frozen import freeze
from afina.backbones.injection import Embeddings, Injections, KeyValues
from benchmarks.serving_cases import CLASSIFIERS, TASKS, Shape, seeded


class AfinaSide:
    """A frozen decoder, with prompts absorbed once."""

    def __init__(self, shape: Shape) -> None:
        frozen = freeze(shape.name, shape.model(), plain_tokenizer(), kind="decoder")
        self.backbone = Decoder(frozen)
        with torch.no_grad():
            self.tasks = [
                self.backbone.absorb(Embeddings(shape.prompt(task))) for task in range(TASKS)
            ]
        prefix = shape.prefix()
        whole = KeyValues(prefix[0::2], prefix[1::2], start=shape.virtual)
        self.ready: dict[str | None, KeyValues | None] = {
            None: None,
            "prompt": self.tasks[0],
            "prefix": whole,
        }

    def write(self, ids: Tensor, kind: str | None, tokens: int) -> list[list[int]]:
        """The answers of one batch under one prompt."""
        return self._write(ids, [self.ready[kind]] * len(ids), tokens)

    def write_mixed(self, ids: Tensor, tokens: int) -> list[list[int]]:
        """The answers of one batch, each row under its own task's prompt."""
        return self._write(ids, self.tasks, tokens)

    def write_one_by_one(self, ids: Tensor, tokens: int) -> list[list[int]]:
        """The same, a batch a row."""
        return [
            self._write(row[None], [task], tokens)[0]
            for row, task in zip(ids, self.tasks, strict=True)
        ]

    def _write(self, ids: Tensor, injections: Injections, tokens: int) -> list[list[int]]:
        return self.backbone.write(ids.tolist(), injections, tokens=tokens)


class AfinaClassifiers:
    """MiniLM-L6 with a prompt and a head a task."""

    def __init__(self) -> None:
        self.backbone = load_backbone("builtin:minilm", precision="float32")
        self.rows = CLASSIFIERS.requests().tolist()
        width, virtual = self.backbone.frozen.width, CLASSIFIERS.virtual
        self.prompts = [
            Embeddings(torch.randn(virtual, width, generator=seeded(task)) * 0.05)
            for task in range(TASKS)
        ]
        self.heads = torch.randn(TASKS, width, CLASSIFIERS.labels, generator=seeded(9))

    @torch.no_grad()
    def mixed(self) -> Tensor:
        """Scores of all labels ``[B, C]`` by one pass."""
        features = self.backbone.features(self.rows, self.prompts)
        return torch.einsum("bh,bhc->bc", features, self.heads)

    @torch.no_grad()
    def one_by_one(self) -> Tensor:
        """The same, a pass a row."""
        found = [
            self.backbone.features([row], [prompt]) @ head
            for row, prompt, head in zip(self.rows, self.prompts, self.heads, strict=True)
        ]
        return torch.cat(found)


def plain_tokenizer() -> PreTrainedTokenizerFast:
    """One that knows no word and no special token: requests are tokens already."""
    inner = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner)
