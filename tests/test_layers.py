"""The rules of the layout, read from the source: who imports what, who may exit, how long a file may be."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import lptn_cli

PACKAGE = Path(lptn_cli.__file__).parent
TREES = {
    path.relative_to(PACKAGE).as_posix().removesuffix(".py"): ast.parse(path.read_text("utf-8"))
    for path in PACKAGE.rglob("*.py")
}
MODULES = sorted(TREES)


def imports(module: str, *, at_run_time: bool = True) -> set[str]:
    """Dotted names that a module imports anywhere, but under `if TYPE_CHECKING`."""
    skipped: set[ast.AST] = set()
    found: set[str] = set()
    for node in ast.walk(TREES[module]):
        if at_run_time and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped |= {inner for statement in node.body for inner in ast.walk(statement)}
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ["lptn_cli", *module.split("/")]
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            found |= {".".join(filter(None, (base, node.module, alias.name))) for alias in node.names}
    return found


def importers(package: str) -> set[str]:
    return {
        module
        for module in MODULES
        if any(name == package or name.startswith(f"{package}.") for name in imports(module))
    }


def within(modules: set[str], *allowed: str) -> set[str]:
    """Those that are not among the allowed, which may end in a slash for a folder."""
    return {
        module
        for module in modules
        if not any(module == one or (one.endswith("/") and module.startswith(one)) for one in allowed)
    }


def ours(module: str, **options: bool) -> set[str]:
    """The modules of ours that a module imports, as `codecs/jpeg`."""
    known = {one.removesuffix("/__init__"): one for one in MODULES}
    found = set()
    for name in imports(module, **options):
        path = name.removeprefix("lptn_cli.").replace(".", "/")
        if name.startswith("lptn_cli."):
            found.add(known.get(path) or known.get(path.rpartition("/")[0], "__init__"))
    return found - {module}


def test_the_walk_sees_what_there_is() -> None:
    assert {"cli", "codecs/jpeg", "training/loop", "network"} <= set(MODULES)
    assert "cv2" in imports("finish") and "pyramid" in ours("network")
    assert "batch" in ours("cli")  # imported within a function


@pytest.mark.parametrize("module", ["errors", "pyramid"])
def test_errors_and_pyramid_import_no_module_of_ours(module: str) -> None:
    assert ours(module, at_run_time=False) == set()


def test_who_imports_torch() -> None:
    allowed = (
        "network",
        "branches",
        "pyramid",
        "translate",
        "device",
        "guided_filter",
        "strength",
        "memory",
        "bench",
        "finish_cuda",
        "on_cuda",
        "jpeg_on_cuda",
        "checkpoint",
        "doctor",
        "training/",
    )
    assert not within(importers("torch"), *allowed)


def test_who_imports_numba() -> None:
    assert importers("numba") == {"fused"}


def test_who_imports_fsspec() -> None:
    assert importers("fsspec") == {"storage"}


def test_who_imports_ray() -> None:
    assert importers("ray") == {"cluster"}


def test_who_imports_cv2() -> None:
    assert not within(importers("cv2"), "codecs/", "finish", "training/")


def test_only_the_command_line_imports_typer_and_only_the_bar_rich() -> None:
    assert importers("typer") == {"cli", "cli_looks"}
    assert importers("rich") == {"bar"}


QUICK = [
    "cli",
    "cli_looks",
    "report",
    "bar",
    "batch",
    "manpage",
    "photos",
    "plan",
    "preset",
    "settings",
    "manifest",
    "signals",
    "atomic",
    "storage",
    "noted",
    "parts",
]


@pytest.mark.parametrize("module", QUICK)
def test_what_starts_at_once_imports_nothing_heavy_at_module_level(module: str) -> None:
    top: set[str] = set()
    for node in TREES[module].body:
        if isinstance(node, ast.ImportFrom):
            top.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            top |= {alias.name.split(".")[0] for alias in node.names}
    assert top and not top & {"torch", "cv2", "numpy", "rich", "safetensors", "PIL"}


LAYERS = [  # from the top down: a module imports only what stands below it
    ["cli"],
    ["cli_looks"],
    ["batch", "bench", "doctor", "training/run"],
    ["gallery"],
    ["destination"],
    ["cluster"],
    ["worker"],
    ["pipeline", "training/report"],
    ["develop"],
    ["training/loop"],
    ["training/data"],
    ["checkpoint"],
    ["translate"],
    ["jpeg_on_cuda"],
    ["settings", "report"],
    ["bar"],
    ["manifest"],
    ["plan", "parts"],
    ["photos"],
    ["storage"],
]


def test_imports_go_down_only() -> None:
    place = {module: n for n, layer in enumerate(LAYERS) for module in layer}
    upwards = {
        f"{module} -> {other}"
        for module in place
        for other in ours(module)
        if other in place and place[other] <= place[module]
    }
    assert not upwards


def test_no_import_cycles() -> None:
    below = {module: ours(module) for module in MODULES if module != "__init__"}
    while below:
        leaves = {module for module, needed in below.items() if not needed & below.keys()}
        assert leaves, f"a cycle among {sorted(below)}"
        below = {module: needed for module, needed in below.items() if module not in leaves}


def test_codecs_import_nothing_of_ours_but_errors() -> None:
    for module in MODULES:
        if module.startswith("codecs/"):
            assert not within(ours(module), "codecs/", "errors"), module


def test_only_cli_exits() -> None:
    exits = re.compile(r"(sys|os)\.(exit|_exit)|SystemExit|typer\.(Exit|Abort)|exit|quit")
    for module, tree in TREES.items():
        said = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        said |= {ast.unparse(node.exc) for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc}
        if module not in ("__main__", "cli", "cli_looks"):
            assert not [name for name in said if exits.fullmatch(name)], module


def test_no_drawers_for_odds_and_ends() -> None:
    vague = re.compile(r"_?(utils?|helpers?|commons?|core|misc)")
    for module, tree in TREES.items():
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert not [name for name in (*module.split("/"), *names) if vague.fullmatch(name.lower())], module


def test_files_can_be_read_in_one_sitting() -> None:
    lines = {module: len((PACKAGE / f"{module}.py").read_text("utf-8").splitlines()) for module in MODULES}
    assert {module: n for module, n in lines.items() if n > 300} == {}


def test_functions_can_be_read_at_a_glance() -> None:
    """Forty lines of code; signatures and docstrings, which in `cli` are tables, are not counted."""
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                assert lines <= 55, f"{module}.{node.name} has {lines} lines"


def test_no_assert_and_no_bare_except() -> None:
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            assert not isinstance(node, ast.Assert), f"{module}:{node.lineno}"
            assert not (isinstance(node, ast.ExceptHandler) and node.type is None), module


def test_the_only_broad_catch_is_in_retouch_one() -> None:
    broad = {
        f"{module}.{function.name}"
        for module, tree in TREES.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        and ast.unparse(node.type) == "Exception"
    }  # fmt: skip
    assert broad == {"pipeline.retouch_one"}
