"""Annotated shapes are executed: every module that names shapes is checked, and its public functions name them."""

import ast
import importlib
import inspect
import textwrap

import jaxtyping
import numpy as np
import pytest
import shapes

from offconvex import paths

PACKAGE = paths.PACKAGE
CHECKS = ("Bool", "Float", "Int", "Int32", "Shaped", "UInt8", "UInt32", "UInt64")
# Tensors and arrays, and names for several of them, which say no shape where they stand alone.
BARE = {"Tensor", "torch.Tensor", "np.ndarray", "Parameters", "Weights", "NetworkWeights", "Series", "Product"}
# Public functions that take or return a tensor or an array without a shape, each with its reason; it may only shrink.
EXCEPTIONS = {
    "fits.z_scores": "an axis of any place is lost, and with the only one it is no array any more",
    **dict.fromkeys(
        (
            "flow_vs_descent.backward_error.unflatten",
            "flow_vs_descent.curvature.extremes",
            "flow_vs_descent.dual.DualLoss.lift",
            "flow_vs_descent.model.Network.start",
        ),
        "an import of the alias is part of the version of a chapter's code",
    ),
}


def named(path) -> str:
    """Dotted name of a file without the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def bare(annotation: ast.AST | None) -> bool:
    """Whether a tensor or an array stands in an annotation without a shape; what a callable takes is its own affair."""
    if annotation is None:
        return False
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) in ("Callable", *CHECKS):
        return False
    return ast.unparse(annotation) in BARE or any(map(bare, ast.iter_child_nodes(annotation)))


def shapeless(syntax: ast.AST, prefix: str = "") -> list[str]:
    """Public functions and methods of public classes that take or return a tensor or an array without a shape."""
    found = []
    for node in getattr(syntax, "body", []):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found += shapeless(node, f"{prefix}{node.name}.")
        if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__call__"):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg]
            if any(bare(hint) for hint in [node.returns, *(a.annotation for a in arguments if a)]):
                found.append(prefix + node.name)
    return found


def functions(holder, module: str):
    """Functions that a module or a class defines, those behind properties included."""
    for value in vars(holder).values():
        value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if inspect.isfunction(value) and value.__module__ == module:
            yield value
        elif inspect.isclass(value) and value.__module__ == module and not inspect.isclass(holder):
            yield from functions(value, module)


def test_every_module_that_names_shapes_is_listed():
    naming = {named(f) for f in PACKAGE.rglob("*.py") if "from jaxtyping import" in f.read_text(encoding="utf-8")}
    assert sorted(naming) == sorted(shapes.MODULES)


@pytest.mark.parametrize("name", shapes.MODULES)
def test_every_function_that_names_a_shape_is_checked(name):
    module = importlib.import_module(f"offconvex.{name}")
    naming = [
        f for f in functions(module, module.__name__) if any(map(shapes.names_a_shape, f.__annotations__.values()))
    ]
    assert naming and [f.__qualname__ for f in naming if not hasattr(f, "shapes")] == []


def test_public_functions_name_the_shapes_of_what_they_take_and_return():
    # What draws takes arrays of whatever is drawn, and the book's own machinery computes nothing.
    engines = [f for f in PACKAGE.rglob("*.py") if not named(f).startswith("book.") and "plots" not in named(f)]
    found = {f"{named(f)}.{function}" for f in engines for function in shapeless(ast.parse(f.read_text("utf-8")))}
    assert sorted(found - EXCEPTIONS.keys()) == []
    assert sorted(EXCEPTIONS.keys() - found) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(x: torch.Tensor): ...", ["f"]),
        ("def f() -> dict[str, np.ndarray] | None: ...", ["f"]),
        ("class C:\n  def g(self, *, w: Weights): ...", ["C.g"]),
        ("def f(x: Float[Tensor, 'a'], g: Callable[[Tensor], Tensor]) -> tuple[Int[np.ndarray, 'a'], int]: ...", []),
        ("def _f(x: Tensor): ...", []),
    ],
)  # fmt: skip
def test_a_function_without_shapes_is_found(text, found):
    assert shapeless(ast.parse(text)) == found


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """A module with one right and two wrong annotations, imported under the hook."""
    text = """
        import numpy as np
        from jaxtyping import Float

        def outer(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> Float[np.ndarray, "n m"]:
            if a.ndim != 1:
                raise ValueError("`a` must be a vector.")
            return a[:, None] * b

        def transposed(a: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
            return a.T

        def passing(a: Float[np.ndarray, "n m"]) -> Float[np.ndarray, " m"]:
            return outer(np.ones(1), a[0])[0]

        def nested(a: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
            return outer(np.ones(2, dtype=int), a[0])
    """
    (tmp_path / "made_up.py").write_text(textwrap.dedent(text), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    with jaxtyping.install_import_hook(["made_up"], "beartype.beartype"):
        module = importlib.import_module("made_up")
    yield module
    monkeypatch.delitem(importlib.sys.modules, "made_up")


def test_wrong_annotations_are_caught(made_up):
    matrix = np.ones((2, 3))
    assert made_up.outer(np.ones(2), np.ones(3)).shape == (2, 3)
    assert made_up.passing(matrix).shape == (3,)
    with pytest.raises(jaxtyping.TypeCheckError, match="return value of made_up.transposed"):
        made_up.transposed(matrix)
    with pytest.raises(jaxtyping.TypeCheckError, match="parameters of made_up.transposed"):
        made_up.transposed(matrix[None])
    with pytest.raises(jaxtyping.TypeCheckError, match="parameters of made_up.outer"):
        made_up.nested(matrix)


def test_a_function_refuses_bad_input_in_its_own_words(made_up):
    with pytest.raises(ValueError, match="`a` must be a vector."):
        made_up.outer(np.ones((2, 2)), np.ones(3))
