"""Eight float64 side by side as one Numba value: arithmetic on `Lanes` is LLVM vector arithmetic.

LLVM splits the eight lanes into what the machine has: two AVX registers, one of AVX-512, four of NEON.
They are written out, and not left to the loop vectoriser, because accumulators then stay in registers,
sums have one order on every machine, NaN and infinity keep their meaning (no fast-math flag is needed)
and compiling is quick.  Arrays must be C-contiguous float64 and are addressed by the flat index of their
first lane, unchecked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numba.extending
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import register_model
from numba.np.arrayobj import make_array

WIDTH = 8


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's, without the parameters' types: callers do not pass the typing context, as a type checker would ask."""
    return numba.extending.intrinsic(function)


_DOUBLE, _WORD, _INDEX = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
_VECTOR, _BITS = ir.VectorType(_DOUBLE, WIDTH), ir.VectorType(_WORD, WIDTH)
_MANTISSA, _ONE, _TWO_52 = 0x000FFFFFFFFFFFFF, 0x3FF0000000000000, 0x4330000000000000


class LanesType(types.Type):
    """Numba's type of eight float64."""

    def __init__(self):
        super().__init__(name="Lanes")


Lanes = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _VECTOR)


def _spread(builder, value):
    """A vector as it is, a number in every lane."""
    if isinstance(value.type, ir.VectorType):
        return value
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, _INDEX(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INDEX, WIDTH), [0] * WIDTH))


def _define_operator(operation, instruction: str) -> None:
    """Let `operation` accept two vectors, or a vector and a number."""
    pairs = [(Lanes, Lanes), (Lanes, types.float64), (types.float64, Lanes)]

    @infer_global(operation)
    class _Template(ConcreteTemplate):
        cases = [signature(Lanes, *pair) for pair in pairs]

    def lower(context, builder, sig, args):
        return getattr(builder, instruction)(*(_spread(builder, value) for value in args))

    for pair in pairs:
        lower_builtin(operation, *pair)(lower)


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")
_define_operator(operator.truediv, "fdiv")


def _element(context, builder, array_type, array, index):
    if array_type.layout != "C":
        raise TypeError(f"lanes are of C-contiguous arrays, not of {array_type}")
    return builder.gep(make_array(array_type)(context, builder, array).data, [index], inbounds=True)


def _vector_at(context, builder, array_type, array, index):
    return builder.bitcast(_element(context, builder, array_type, array, index), _VECTOR.as_pointer())


@intrinsic
def lanes(typing_context, x):
    """A number in every lane."""

    def codegen(context, builder, sig, args):
        return _spread(builder, args[0])

    return Lanes(types.float64), codegen


@intrinsic
def load(typing_context, array, at):
    """Eight neighbours."""

    def codegen(context, builder, sig, args):
        return builder.load(_vector_at(context, builder, sig.args[0], *args), align=8)

    return Lanes(array, types.int64), codegen


@intrinsic
def load_one(typing_context, array, at):
    """One element in every lane."""

    def codegen(context, builder, sig, args):
        return _spread(builder, builder.load(_element(context, builder, sig.args[0], *args)))

    return Lanes(array, types.int64), codegen


@intrinsic
def load_strided(typing_context, array, at, stride):
    """Eight elements `stride` apart, converted to float64."""

    def codegen(context, builder, sig, args):
        array, at, stride = args
        vector = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(WIDTH):
            value = builder.load(_element(context, builder, sig.args[0], array, at))
            value = context.cast(builder, value, sig.args[0].dtype, types.float64)
            vector = builder.insert_element(vector, value, _INDEX(lane))
            at = builder.add(at, stride)
        return vector

    return Lanes(array, types.int64, types.int64), codegen


@intrinsic
def store(typing_context, array, at, value):
    """Write eight neighbours."""

    def codegen(context, builder, sig, args):
        builder.store(args[2], _vector_at(context, builder, sig.args[0], *args[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, Lanes), codegen


@intrinsic
def fma(typing_context, a, b, c):
    """a * b + c, in one rounding where the machine has such an instruction."""

    def codegen(context, builder, sig, args):
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{WIDTH}f64")
        return builder.call(function, [_spread(builder, value) for value in args])

    return Lanes(a, b, c), codegen


@intrinsic
def where_greater(typing_context, a, b, x, y):
    """x where a > b, else y: also y where a or b is NaN."""

    def codegen(context, builder, sig, args):
        a, b, x, y = (_spread(builder, value) for value in args)
        return builder.select(builder.fcmp_ordered(">", a, b), x, y)

    return Lanes(a, b, x, y), codegen


@intrinsic
def total(typing_context, vector):
    """Sum of the lanes, by halves."""

    def codegen(context, builder, sig, args):
        (vector,), width = args, WIDTH
        while width > 1:
            width //= 2
            halves = []
            for start in (0, width):
                mask = ir.Constant(ir.VectorType(_INDEX, width), list(range(start, start + width)))
                halves.append(builder.shuffle_vector(vector, vector, mask))
            vector = builder.fadd(*halves)
        return builder.extract_element(vector, _INDEX(0))

    return types.float64(Lanes), codegen


@intrinsic
def power_of_two(typing_context, shifted):
    """2**k of the integers k, -1022 to 1023, given as k + 1.5 * 2**52."""

    def codegen(context, builder, sig, args):
        exponent = builder.shl(builder.bitcast(args[0], _BITS), _words(52))
        return builder.bitcast(builder.add(exponent, _words(_ONE)), _VECTOR)

    return Lanes(Lanes), codegen


@intrinsic
def exponent(typing_context, x):
    """e of positive normal numbers x = m * 2**e with 1 <= m < 2."""

    def codegen(context, builder, sig, args):
        biased = builder.lshr(builder.bitcast(args[0], _BITS), _words(52))
        number = builder.bitcast(builder.or_(biased, _words(_TWO_52)), _VECTOR)
        return builder.fsub(number, ir.Constant(_VECTOR, [2.0**52 + 1023.0] * WIDTH))

    return Lanes(Lanes), codegen


@intrinsic
def mantissa(typing_context, x):
    """m of positive normal numbers x = m * 2**e with 1 <= m < 2."""

    def codegen(context, builder, sig, args):
        digits = builder.and_(builder.bitcast(args[0], _BITS), _words(_MANTISSA))
        return builder.bitcast(builder.or_(digits, _words(_ONE)), _VECTOR)

    return Lanes(Lanes), codegen


def _words(value: int) -> ir.Constant:
    return ir.Constant(_BITS, [value] * WIDTH)
