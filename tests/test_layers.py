"""The architecture: imports point down, in no circle, and torch stays where it belongs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "afina"
# Highest first; neighbours on a line do not import each other.
LAYERS = [
    {"cli", "serving"},
    {"commands"},
    {"sweep_table", "comparing_table", "page", "plan_table"},
    {
        *("alias_table", "console", "diagnosis_table", "heatmap", "journal_table"),
        *("passage_table", "portrait_table", "trial_table", "prompt_diff"),
        *("prediction_text", "run_table", "task_table"),
    },
    {"formats"},
    {"sweep", "comparing", "plan"},
    {"lineup", "routes"},
    {"keeping"},
    {"tuning"},
    {"store"},
    {"methods"},
    {"making"},
    {"job"},
    {"packed", "method_settings", "written"},
    {"models"},
    {"setting"},
    {"yardsticks"},
    {"program", "training"},
    {"hard", "soft"},
    {"retrieval", "backbones"},
    {"lm", "evaluation"},
    {"task"},
    {"solver"},
    {"disk", "database"},
    {"errors"},
]
RANK = {name: rank for rank, names in enumerate(reversed(LAYERS)) for name in names}
LAZY = {
    "packed.py",
    "models.py",
    "method_settings.py",
    "__init__.py",
    "task/hub.py",
}
TORCH = {"backbones", "soft", "training"}
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            module = node.module or ""
            names += [f"{module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    layer = layer_of(path)
    if layer == "__init__":
        return
    for name in imported(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "torch":
            assert layer in TORCH, f"{layer} imports torch"
        if parts[0] != "afina" or parts[1] == layer:
            continue
        assert parts[1] in RANK, f"{layer} imports from the top: {name}"
        assert RANK[parts[1]] < RANK[layer], f"{layer} imports {name}, which is not below it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_a_few_files_import_inside_functions(path: Path) -> None:
    if str(path.relative_to(PACKAGE)) in LAZY or layer_of(path) in ("commands", "making"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert not imported(node), f"{node.name} imports inside"


def test_modules_form_no_circle() -> None:
    edges = {}
    for path in FILES:
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        tree = ast.parse(path.read_text())
        top = ast.Module([n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], [])
        edges[name] = {n for n in imported(top) if n.startswith("afina.")}
    modules = set(edges)
    graph = {
        name: {t if t in modules else t.rpartition(".")[0] for t in targets} & modules
        for name, targets in edges.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for target in graph[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("code", ["import afina", "import afina.cli"])
def test_importing_loads_no_torch(code: str) -> None:
    check = f"{code}; import sys; print([m for m in sys.modules if m.split('.')[0] == 'torch'])"
    result = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, env=dict(os.environ)
    )
    assert result.stdout.strip() == "[]", result.stderr
