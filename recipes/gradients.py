"""Losses of a step's parts and their gradients, one behind another or side by side on threads.

A product of a small model keeps one core busy and no more; two parts side by side keep two.
"""

import ctypes
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

Part = Callable[[Any], Tensor]  # from a model to a loss

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of malloc.h


def gradients(
    model: Any, parts: Mapping[str, Part], weights: Mapping[str, float], pool: ThreadPoolExecutor
) -> dict[str, Tensor]:
    """Each part's loss; the model's gradients are those of their sum by ``weights``.

    They are summed in the parts' order, so the threads' pace does not matter.
    """
    tensors = list(model.parameters())

    def told(name: str) -> tuple[Tensor, tuple[Tensor, ...]]:
        with mixed(model):
            loss = parts[name](model)
        return loss.detach(), torch.autograd.grad(weights[name] * loss, tensors)

    found = dict(zip(parts, pool.map(told, parts), strict=True))
    for tensor, *own in zip(tensors, *(grads for _, grads in found.values()), strict=True):
        tensor.grad = sum(own[1:], own[0])
    return {name: loss for name, (loss, _) in found.items()}


def mixed(model: Any) -> torch.autocast:
    """Products in bfloat16 where the machine has it; the weights stay in float32."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=has_bfloat16(model.device))


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 itself; one that does not is slower in it."""
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported()
    return torch.cuda.is_bf16_supported()


def workers(threads: int) -> ThreadPoolExecutor:
    """Threads of one core each."""
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))


def keep_memory() -> None:
    """Have the C library keep what is freed: else each large tensor's pages are made anew."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 2**30)
