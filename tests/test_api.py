"""Conventions of the whole package, by reading its source: what a reader may rely on everywhere."""

import ast
import inspect
from pathlib import Path

import pytest

from fer_jax import models
from tests.tiny import model_config

ROOT = Path(__file__).resolve().parent.parent / "fer_jax"
FILES = {str(path.relative_to(ROOT)): path.read_text() for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(text) for name, text in FILES.items()}
every_file = pytest.mark.parametrize("name", FILES)

# What each room may not import: the arrows of the package run one way.
FORBIDDEN = {
    "models": ("data", "report", "train", "evaluate", "steps", "results"),
    "data": ("models", "report", "train", "evaluate", "steps", "results"),
    "report": ("models", "train", "steps", "evaluate", "finished", "study"),
}
OPS_MAY_IMPORT = {
    "jax", "numpy", "math", "collections", "fractions", "functools", "typing"
}


def functions(tree):
    """Give every function of a file, methods and nested ones included."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def public_definitions(tree):
    """Give the public functions and classes of a file and the public methods of those."""
    for node in tree.body:
        kinds = (ast.FunctionDef, ast.ClassDef)
        if not isinstance(node, kinds) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and (
                    not method.name.startswith("_") or method.name == "__call__"
                ):
                    yield f"{node.name}.{method.name}", method


def positional(function) -> list[str]:
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def imported(tree) -> set[str]:
    """Give the dotted names that a file imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@every_file
def test_a_file_is_short_and_says_what_it_is_for(name):
    lines = FILES[name].splitlines()
    assert len(lines) < 400
    assert [number for number, line in enumerate(lines, 1) if len(line) > 100] == []
    first_line = (ast.get_docstring(TREES[name]) or "").partition("\n")[0]
    assert first_line.endswith((".", "`")), f"{name} opens with {first_line!r}"


@every_file
def test_what_is_public_has_a_docstring_with_an_imperative_first_line(name):
    wrong = []
    for path, node in public_definitions(TREES[name]):
        first_line = (ast.get_docstring(node) or "").partition("\n")[0]
        verb = first_line.partition(" ")[0]
        # Third person, as in "Returns": an imperative ends in s only as in "pass" or "process".
        third_person = verb.endswith("s") and not verb.endswith("ss")
        if not first_line.endswith(".") or (
            isinstance(node, ast.FunctionDef) and (third_person or not verb[:1].isupper())
        ):
            wrong.append(f"{path}: {first_line!r}")
    assert wrong == []


@every_file
def test_train_is_keyword_only_and_without_a_default(name):
    for function in functions(TREES[name]):
        assert "train" not in positional(function), function.name
        for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults):
            assert argument.arg != "train" or default is None, function.name


@pytest.mark.parametrize("name", models.BUILDERS)
def test_every_network_takes_an_image_batch_and_train(name):
    call = inspect.signature(type(models.build(model_config(name))).__call__)
    assert list(call.parameters) == ["self", "x", "train"]
    assert call.parameters["train"].kind is inspect.Parameter.KEYWORD_ONLY
    assert call.parameters["train"].default is inspect.Parameter.empty


@every_file
def test_a_random_key_is_called_key_and_comes_first(name):
    for function in functions(TREES[name]):
        arguments = positional(function)
        everything = [*arguments, *(argument.arg for argument in function.args.kwonlyargs)]
        assert not {"rng", "rngs", "prng", "prng_key", "rng_key"} & set(everything), function.name
        assert "key" not in everything or arguments[:1] == ["key"], function.name


@every_file
def test_keys_are_typed(name):
    assert "PRNGKey(" not in FILES[name], "use jax.random.key"


@every_file
def test_imports_follow_the_arrows(name):
    room = name.partition("/")[0] if "/" in name else ""
    modules = imported(TREES[name])
    outside = {"configs", "experiments", "benchmarks", "tests"}
    assert {module.partition(".")[0] for module in modules} & outside == set()
    for other in FORBIDDEN.get(room, ()):
        wrong = {module for module in modules if f"{module}.".startswith(f"fer_jax.{other}.")}
        assert wrong == set()


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("ops/")])
def test_ops_import_only_jax(name):
    modules = {
        module for module in imported(TREES[name]) if not module.startswith("fer_jax.ops.")
    }
    assert {module.partition(".")[0] for module in modules} <= OPS_MAY_IMPORT
