"""A mixture's posterior as one fast function of a flat unconstrained vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR
from bayesgmm.core.merging import summed
from bayesgmm.core.sweep import group_bounds
from bayesgmm.flat import diagonal, triangular
from bayesgmm.flat.bartlett import Bartlett, whitened
from bayesgmm.flat.problem import pack_problem, rows_of
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.rows import Rows

SERIAL_ROWS = 32768  # up to here an evaluation is one compiled call; beyond, parts of it are worth handing to threads
KERNELS = {TRIANGULAR: triangular, DIAGONAL: diagonal}
N_PARTS = 16  # of the rows, summed one by one: enough for the threads, few enough to hand out quickly


@dataclass(frozen=True, eq=False)
class FlatPosterior:
    """Log density of unconstrained coordinates and data, and its gradient; equal to the `pm.Model`'s.

    Parameters
    ----------
    coordinates : Bartlett
    problem : array
        The constants and the whitened data, as the kernels take them.
    n_rows : int
    """

    coordinates: Bartlett
    problem: np.ndarray
    n_rows: int

    @classmethod
    def of(cls, model: GaussianMixture | DirichletProcessMixture, data: Rows) -> FlatPosterior:
        """The posterior of a resolved model."""
        c = Bartlett.of(model, data)
        white = whitened(np.asarray(data.values, float), c.center, c.whitening)
        return cls(c, pack_problem(c, white, data.facts), len(data))

    @property
    def is_serial(self) -> bool:
        """Whether one evaluation is one compiled call; fixed by n, so that threads do not change the result."""
        return self.n_rows <= SERIAL_ROWS

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and (n_dim,) gradient at a C-contiguous, writable (n_dim,) vector."""
        try:
            return self._evaluate(x)
        except SystemError as error:
            # Numba goes through Python to make the arrays that it returns, and takes no notice of a SIGINT there.
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise

    def _evaluate(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        kernels = KERNELS[self.coordinates.structure.form]
        if self.is_serial:
            return kernels.evaluate(x, self.problem)
        log_weights, bartlett, factors, means = kernels.unpack(x, self.problem)
        X, facts = rows_of(self.problem)
        groups = group_bounds(self.n_rows)
        bounds = [groups[part * (len(groups) - 1) // N_PARTS] for part in range(N_PARTS + 1)]

        def add(begin: int, end: int, offset: int, outputs: list[np.ndarray]) -> None:
            value, *statistics = outputs
            for part in range(begin, end):
                to = (array[part - offset] for array in statistics)
                value[part - offset] = kernels.sweep(
                    X, facts, bounds[part], bounds[part + 1], log_weights, factors, means, *to
                )

        shapes = [(), (len(means),), means.shape, factors.shape]
        value, *statistics = summed(add, [(part, part + 1) for part in range(N_PARTS)], shapes)
        log_prior, gradient = kernels.read(x, self.problem, log_weights, bartlett, factors, means, *statistics)
        return log_prior + value, gradient
