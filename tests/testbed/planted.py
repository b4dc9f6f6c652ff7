"""Faults planted in the shipped compiled code, to see the tests of a sampler turn red.

A fault is a change of a line of a module of `bayesgmm.core`.  The module and those that call it are compiled again
from their source, with the change and without Numba's cache, under other names; everything else is the package's own.
"""

import re
import sys
from importlib import import_module
from itertools import count
from types import ModuleType

from numba import njit

from bayesgmm.core.compilation import OPTIONS

CORE = "bayesgmm.core."
_numbers = count()

# The package's decorator without the cache, which has no place for functions that are in no file.
uncached_jit = njit(**OPTIONS)
DECORATORS = ("jit", "inner", "inline")


def planted(wanted, *changes):
    """The module `wanted` of the core with changes: (module, text of its source, what stands there instead)."""
    sources = {}
    for name, right, wrong in changes:
        source = sources.get(name, _source(name))
        assert source.count(right) == 1, f"{right!r} stands {source.count(right)} times in core/{name}.py"
        sources[name] = source.replace(right, wrong)
    return _compiled_again(wanted, sources, f"planted{next(_numbers)}_")


def _compiled_again(name, changed, prefix):
    """The module with changed sources below it, or the package's own where nothing below it has changed."""
    if prefix + name in sys.modules:
        return sys.modules[prefix + name]
    source = changed.get(name, _source(name))
    below = [_compiled_again(other, changed, prefix) for other in _imports(source)]
    anew = [module.__name__.removeprefix(prefix) for module in below if module.__name__.startswith(prefix)]
    if name not in changed and not anew:
        return import_module(CORE + name)
    for other in anew:
        source = source.replace(f"from {CORE}{other} import", f"from {prefix}{other} import")
        source = source.replace(f"from bayesgmm.core import {other}\n", f"import {prefix}{other} as {other}\n")
    source = re.sub(
        r"\n@(?=jit|inner|inline)", "\nfrom testbed.planted import uncached_jit as jit\n\n@", source, count=1
    )
    module = ModuleType(prefix + name)
    sys.modules[module.__name__] = module
    exec(compile(source, f"{module.__name__}.py", "exec"), module.__dict__)
    # One class for one record: another of the same name would be another type, for which the package's own functions
    # would be compiled once more, and into its cache.
    shipped = vars(import_module(CORE + name))
    module.__dict__.update({key: value for key, value in shipped.items() if isinstance(value, type)})
    return module


def _source(name):
    with open(import_module(CORE + name).__file__, encoding="utf-8") as file:
        return file.read()


def _imports(source):
    """Names of the core's modules of compiled functions that a module imports."""
    named = re.findall(rf"^from {re.escape(CORE)}(\w+) import", source, re.MULTILINE)
    whole = re.findall(r"^from bayesgmm\.core import (\w+)$", source, re.MULTILINE)
    modules = {name: vars(import_module(CORE + name)) for name in named + whole if name != "compilation"}
    return [name for name, content in modules.items() if any(word in content for word in DECORATORS)]
