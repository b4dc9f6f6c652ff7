"""`MixtureOfOneColumn`: the likelihood of `pymc_model` where the data have one column; a row of it is one number.

ArviZ's predictive functions take a variable of one column with the axis of the observations alone.
"""

from __future__ import annotations

import pymc as pm
from pytensor.link.numba.dispatch.random import numba_core_rv_funcify

from bayesgmm.core.kernels.compilation import jit
from bayesgmm.ppl.distribution import MvNormalMixture, MvNormalMixtureRV, draw_row
from bayesgmm.ppl.op import CACHE_VERSION


class MixtureOfOneColumnRV(MvNormalMixtureRV):
    """The same of one column, whose rows are numbers."""

    name = "mixture_of_one_column"
    signature = "(k),(k,d),(k,d,d)->()"
    _print_name = ("MixtureOfOneColumn", "\\operatorname{MixtureOfOneColumn}")

    @classmethod
    def rng_fn(cls, rng, weights, means, precision_chol, size):
        return super().rng_fn(rng, weights, means, precision_chol, size)[..., 0]


@numba_core_rv_funcify.register(MixtureOfOneColumnRV)
def _numba_draw(op, node):
    return draw_number, CACHE_VERSION


@jit
def draw_number(rng, weights, means, precision_chol):
    """A row of one column."""
    return draw_row(rng, weights, means, precision_chol)[0]


class MixtureOfOneColumn(pm.Continuous):
    """`MvNormalMixture` of one column, without the axis of the columns."""

    rv_op = MixtureOfOneColumnRV()

    @classmethod
    def dist(cls, weights, means, precision_chol, **kwargs):
        return super().dist([weights, means, precision_chol], **kwargs)

    def support_point(rv, size, weights, means, precision_chol):
        return MvNormalMixture.support_point(rv, size, weights, means, precision_chol)[..., 0]

    def logp(value, weights, means, precision_chol):
        return MvNormalMixture.logp(value[..., None], weights, means, precision_chol)
