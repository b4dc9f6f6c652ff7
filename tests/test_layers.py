"""The house rule: imports run one way, and heavy libraries are imported where they are used."""

import ast
import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bayesgmm"

# What each part may import, besides itself.  An import inside a function counts; one for the type checker does not.
GROUND = {"errors", "checks"}
FOUNDATION = GROUND | {"drawing", "core", "families", "data", "rows", "priors", "models", "convert"}
MAY_IMPORT = {
    "errors": set(),
    "checks": {"errors"},
    "data": GROUND,
    "core": GROUND,
    "datasets": GROUND,
    "drawing": GROUND,
    "families": GROUND | {"core"},
    "rows": GROUND | {"core", "data"},
    "priors": GROUND | {"core", "families"},
    "models": GROUND | {"core", "families", "data", "rows", "priors"},
    "convert": GROUND | {"core", "families", "data", "rows", "priors", "models"},
    "result": FOUNDATION,
    "flat": FOUNDATION,
    "ppl": FOUNDATION | {"flat", "result"},
    "methods": FOUNDATION | {"flat", "ppl", "result"},
    "fitting": FOUNDATION | {"methods", "ppl", "result"},
    "criteria": FOUNDATION | {"result"},
    "comparison": FOUNDATION | {"result", "methods", "criteria", "labels", "uncertainty"},
    "selection": FOUNDATION | {"result", "methods", "fitting", "criteria"},
    "labels": FOUNDATION | {"result"},
    "partitions": FOUNDATION | {"result"},
    "assessment": FOUNDATION | {"result", "criteria"},
    "uncertainty": FOUNDATION | {"result", "methods", "labels"},
    "plots": FOUNDATION | {"result", "criteria", "comparison", "partitions", "assessment", "uncertainty"},
    "report": FOUNDATION | {"result", "criteria", "comparison", "partitions", "assessment", "uncertainty", "plots"},
}
TOP = {"__init__", "__main__", "cli", "testing"}  # these may import anything

NUMERIC = {"numpy", "scipy", "numba", "llvmlite"}  # llvmlite is Numba's own: it writes the vector instructions
COMPILED_MODELS = {"pymc", "pytensor", "nutpie"}  # of the part `ppl` alone
EVERYWHERE = NUMERIC | {"bayesgmm"} | set(sys.stdlib_module_names)
AT_MODULE_LEVEL = {
    "ppl": EVERYWHERE | COMPILED_MODELS,
    "cli": EVERYWHERE | {"typer"},
    "__init__": EVERYWHERE | {"lazy_loader"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def name_of(path):
    return str(path.relative_to(PACKAGE))


def imports_of(node, is_module_level=True):
    """(imported dotted name, whether it runs when the module is imported), without those for the type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, is_module_level) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports hide the layer: write them in full"
            # `from bayesgmm import convert` imports the part `convert`, and the names of other modules do no harm.
            yield from ((f"{child.module}.{alias.name}", is_module_level) for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from imports_of(ast.Module(child.orelse, []), is_module_level)
        else:
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from imports_of(child, is_module_level and not is_function)


def breaches(source, part):
    """What in a module of `part` goes against the rule."""
    found = []
    for name, is_module_level in imports_of(ast.parse(source)):
        library, _, inner = name.partition(".")
        if library == "bayesgmm" and part not in TOP:
            target = inner.partition(".")[0]
            if target != part and target not in MAY_IMPORT[part]:
                found.append(f"{part} must not import {target}")
        if library in COMPILED_MODELS and part != "ppl":
            found.append(f"only ppl imports {library}")
        if part in ("core", "families", "priors") and library not in EVERYWHERE:
            found.append(f"{part} sees NumPy, SciPy and Numba only, not {library}")
        if is_module_level and library not in AT_MODULE_LEVEL.get(part, EVERYWHERE):
            found.append(f"{library} must be imported inside the functions that use it")
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_one_way(path):
    assert breaches(path.read_text(encoding="utf-8"), part_of(path)) == []


ASKS = re.compile(r"\b(is_diagonal|is_round|is_shared)\b")
MOST_THAT_ASK = 10  # of the files; what a structure or its form can do itself, nobody need ask


def test_few_files_ask_a_structure_what_it_is():
    """A ladder of such questions is one that every new family must be written into."""
    asking = [name_of(path) for path in MODULES if ASKS.search(path.read_text(encoding="utf-8"))]
    assert len(asking) <= MOST_THAT_ASK, asking


def test_every_part_has_its_place():
    assert {part_of(path) for path in MODULES} <= set(MAY_IMPORT) | TOP


def test_the_parts_form_no_cycle():
    placed = set()
    while len(placed) < len(MAY_IMPORT):
        free = {part for part, below in MAY_IMPORT.items() if part not in placed and below <= placed}
        assert free, f"a cycle among {set(MAY_IMPORT) - placed}"
        placed |= free


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def ring(sources):
    """Modules that import each other in a ring, wherever they do it; none where they can be put in an order.

    A name may be a module or something in one, so that the longest known beginning of it is what is imported.
    """
    graph = {}
    for module, source in sources.items():
        names = (name for name, _ in imports_of(ast.parse(source)))
        found = (name if name in sources else name.rpartition(".")[0] for name in names)
        graph[module] = {name for name in found if name in sources and name != module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_the_files_form_no_ring():
    assert ring({module_of(path): path.read_text(encoding="utf-8") for path in MODULES}) == []


def test_a_ring_is_seen_where_an_import_hides_in_a_function():
    sources = {
        "bayesgmm.a": "from bayesgmm.b import f",
        "bayesgmm.b": "def f():\n    from bayesgmm import c",
        "bayesgmm.c": "import bayesgmm.a",
    }
    assert set(ring(sources)) == set(sources)
    sources["bayesgmm.c"] = "if TYPE_CHECKING:\n    import bayesgmm.a"
    assert ring(sources) == []


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("from bayesgmm.priors.weights import Dirichlet", "core"),
        ("from bayesgmm import fitting", "methods"),
        ("import bayesgmm.cli", "report"),
        ("def f():\n    from bayesgmm.comparison import compare", "criteria"),
        ("class A:\n    def f(self):\n        import pymc as pm", "methods"),
        ("try:\n    import nutpie\nexcept ImportError:\n    pass", "result"),
        ("def f():\n    import pandas", "core"),
        ("import pandas as pd", "data"),
        ("from matplotlib import pyplot", "plots"),
        ("import rich.table", "cli"),
    ],
)
def test_a_breach_is_seen(source, part):
    assert breaches(source, part)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("import json\nimport numpy as np\nfrom scipy.special import gammaln", "core"),
        ("from bayesgmm import convert", "result"),
        ("def f():\n    import pandas as pd", "data"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas as pd", "core"),
        ("import pymc as pm\nfrom pytensor.graph.op import Op", "ppl"),
        ("import typer", "cli"),
    ],
)
def test_what_is_allowed_is_no_breach(source, part):
    assert breaches(source, part) == []
