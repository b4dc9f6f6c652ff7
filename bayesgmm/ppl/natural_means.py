"""The means of a `pm.Model`: given the precisions, or independent of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR
from bayesgmm.core.matrices import invert_triangular
from bayesgmm.core.params import LOG_2PI
from bayesgmm.flat.bartlett import Bartlett
from bayesgmm.flat.means import IndependentMeans
from bayesgmm.ppl.factors import precision_chol_of_chol
from bayesgmm.ppl.natural import natural


def means_variable(c: Bartlett, precision_chol: pt.TensorVariable) -> pt.TensorVariable:
    """(K, D) means; `precision_chol` is (K, D, D), or (K, D) in diagonal structures."""
    law = LAWS[c.structure.form](c)
    if isinstance(c.means, IndependentMeans):
        factor = pt.as_tensor(np.array(np.broadcast_to(c.means.factor, (c.n_components, *c.means.factor.shape))))
    else:
        factor = law.factor(precision_chol, np.sqrt(c.means.mean_precision))
    return natural("means", law, (factor,), c.mean.shape, ("component", "feature"))


@dataclass(frozen=True, eq=False)
class RowCoordinates:
    """The means centred and scaled by the data's spread; the one parameter is their precision factor there, (K, D, D).

    Centred, since beside their prior the data say much more about each of them.
    """

    c: Bartlett
    name = "standardized"

    def factor(self, precision_chol, root):
        """Of means given their covariances, with the roots of their precisions."""
        return root[:, None, None] * pt.matmul(invert_triangular(self.c.whitening), precision_chol)

    def value(self, x):
        return self.c.center + pt.dot(x, invert_triangular(self.c.whitening))

    def coordinates(self, value):
        return pt.dot(value - self.c.center, self.c.whitening)

    def log_jacobian(self, x):
        return pt.as_tensor(-self.c.n_components * np.log(np.diag(self.c.whitening)).sum())

    def log_density(self, x, factor):
        whitened = (factor * (x - self.c.mean)[:, :, None]).sum(1)
        log_diagonal = pt.log(pt.diagonal(factor, axis1=1, axis2=2))
        return (log_diagonal - 0.5 * whitened**2 - 0.5 * LOG_2PI).sum()

    def draw(self, factor):
        """Rows mean + P^-T noise; pm.MvNormal would take minutes to compile."""
        noise = pm.Normal.dist(size=self.c.mean.shape)
        return self.value(self.c.mean + (precision_chol_of_chol(factor.mT) * noise[:, :, None]).sum(1))


@dataclass(frozen=True, eq=False)
class ColumnCoordinates:
    """The same where every column stands by itself, and factors are (K, D)."""

    c: Bartlett
    name = "standardized"

    def factor(self, precision_chol, root):
        return root[:, None] * precision_chol / self.c.whitening

    def value(self, x):
        return self.c.center + x / self.c.whitening

    def coordinates(self, value):
        return (value - self.c.center) * self.c.whitening

    def log_jacobian(self, x):
        return pt.as_tensor(-self.c.n_components * np.log(self.c.whitening).sum())

    def log_density(self, x, factor):
        return (pt.log(factor) - 0.5 * (factor * (x - self.c.mean)) ** 2 - 0.5 * LOG_2PI).sum()

    def draw(self, factor):
        return self.value(self.c.mean + pm.Normal.dist(size=self.c.mean.shape) / factor)


LAWS = {TRIANGULAR: RowCoordinates, DIAGONAL: ColumnCoordinates}
