"""Tensor shapes in annotations are checked while testing."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: two workers of two threads starve each other

from jaxtyping import install_import_hook

# Scripts for an interpreter that has dspy.
collect_ignore = ["program/dspy_module.py", "program/references/dspy_renderings.py"]
os.environ["HF_HUB_OFFLINE"] = "1"
install_import_hook(["afina.backbones", "afina.soft", "afina.training"], "beartype.beartype")
