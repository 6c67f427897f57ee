"""Tensor shapes in annotations are checked while testing."""

import os

from jaxtyping import install_import_hook

os.environ["HF_HUB_OFFLINE"] = "1"
install_import_hook(["afina.backbones", "afina.soft", "afina.training"], "beartype.beartype")
