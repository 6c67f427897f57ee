"""Tensor shapes in annotations are checked while testing."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: two workers of two threads starve each other

from jaxtyping import install_import_hook

os.environ["HF_HUB_OFFLINE"] = "1"
install_import_hook(["afina.backbones", "afina.soft", "afina.training"], "beartype.beartype")
