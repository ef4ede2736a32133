"""The house rules that can be read off the source: import direction, docstrings, nothing executed from text."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: What each package may import of the others.
ALLOWED = {
    "primitives": {"primitives"},
    "evaluators": {"primitives", "evaluators"},
    "search": {"primitives", "evaluators", "search"},
}
#: Third-party packages that only search may use.
SEARCH_ONLY = {"click", "jinja2", "markupsafe", "optuna", "pydantic", "ray", "rich", "typer"}

EXECUTES = {"eval", "exec", "compile", "__import__"}
UNPICKLES = {f"{module}.{name}" for module in ("pickle", "cloudpickle", "joblib") for name in ("load", "loads")}

MODULES = sorted(path for package in ALLOWED for path in (ROOT / package).rglob("*.py"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of all imported modules, those inside functions too; relative ones begin with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def _modules(tree: ast.Module) -> Iterator[str]:
    """What may be a module: the dotted names of imports, and each name imported from one, as it may be a file."""
    yield from _imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Calls by the text of what is called, with names imported by ``from module import name`` written out."""
    full = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            yield full.get(text, text), node


def test_packages_are_found() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    imported = set(_imports(_parsed(path)))
    assert not [name for name in imported if name.startswith(".")], "imports are absolute"
    top = {name.partition(".")[0] for name in imported}
    assert top & set(ALLOWED) <= ALLOWED[package]
    assert not top & {"tests", "benchmarks"}
    if package != "search":
        assert not top & SEARCH_ONLY


def test_no_files_import_each_other_in_a_loop() -> None:
    """Imports inside functions count too; a package's own name stands for its table of contents, not for a file."""
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in MODULES}
    arrows = {name: files.keys() & set(_modules(_parsed(path))) for name, path in files.items()}
    assert list(TopologicalSorter(arrows).static_order())  # raises CycleError, which names the files


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(_parsed(path))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_text_is_executed(path: Path) -> None:
    for name, call in _calls(_parsed(path)):
        place = f"{_name(path)}:{call.lineno}: {name}"
        assert name.removeprefix("builtins.") not in EXECUTES, place
        assert name not in UNPICKLES, place
        if name == "torch.load":
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert options.get("weights_only") == "True", place


def test_test_files_have_names_of_their_own() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("package", ["primitives", "evaluators"])
def test_lower_packages_do_not_load_optuna_or_ray(package: str) -> None:
    program = f"import sys, {package}; print(*sorted({{'optuna', 'ray'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
