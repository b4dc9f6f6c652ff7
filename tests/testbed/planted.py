"""Faults planted in the shipped compiled code, to see the tests of a sampler turn red.

A fault is a function in the place of one of a module of `bayesgmm.core`: "room.module.function" names the right one,
and what makes the faulty one is given it, so that a fault can be the right function with one thing wrong.  The
functions that call it, and those that call these, are compiled again, without Numba's cache, from the code that they
have and with the faulty one among their globals.  Everything else is the package's own, and nobody reads its source.
"""

from importlib import import_module
from types import FunctionType, ModuleType

from numba import njit
from numba.core.dispatcher import Dispatcher

from bayesgmm.core.kernels.compilation import OPTIONS

CORE = "bayesgmm.core."
faulty = njit(**OPTIONS)  # the package's decorator without the cache, which is no place for faults


def planted(wanted, faults):
    """The module `wanted` of the core with faults: by "room.module.function", what makes the faulty one of it."""
    by_module = {}
    for name, make in faults.items():
        module, _, function = name.rpartition(".")
        assert isinstance(vars(import_module(CORE + module)).get(function), Dispatcher), f"there is no {name}"
        by_module.setdefault(CORE + module, {})[function] = make
    made = {}
    found = _anew(import_module(CORE + wanted), by_module, made)
    lost = [name for name in by_module if made.get(name) in (None, import_module(name))]
    assert not lost, f"{wanted} does not call {lost}"
    return found


def _anew(module, faults, made):
    """The module with the faults in it and below it, or itself where there are none."""
    if module.__name__ not in made:
        below = {key: _anew_value(key, value, module, faults, made) for key, value in vars(module).items()}
        changed = {key: value for key, value in below.items() if value is not vars(module)[key]}
        own = faults.get(module.__name__, {})
        made[module.__name__] = _copy(module, changed, own) if changed or own else module
    return made[module.__name__]


def _anew_value(key, value, module, faults, made):
    """What a name of a module stands for, where that is in another module of the core."""
    if isinstance(value, ModuleType) and value.__name__.startswith(CORE):
        return _anew(value, faults, made)
    home = value.py_func.__module__ if isinstance(value, Dispatcher) else ""
    if home.startswith(CORE) and home != module.__name__:
        name = value.py_func.__name__
        there = vars(_anew(import_module(home), faults, made))
        return there.get(name, value)
    return value


def _copy(module, changed, faults):
    new = ModuleType(module.__name__)
    content = vars(new)
    content.update(vars(module) | changed)
    for name, value in vars(module).items():
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
            content[name] = _with_globals(value, content)
    for name, make in faults.items():
        content[name] = make(content[name])
    return new


def _with_globals(kernel, content):
    right = kernel.py_func
    function = FunctionType(right.__code__, content, right.__name__, right.__defaults__, right.__closure__)
    return type(kernel)(function, targetoptions=kernel.targetoptions)
