"""Where chains start: independent searches for the modes of a posterior, and the pool of what they found.

A search climbs the evidence lower bound of mean-field variational Bayes from several starts, and from the best of
them by birth and merge moves.  An optimum is a mode of the posterior with an approximate evidence: its bound, and the
number of ways to name its components where some of them are empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln

from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.methods.climbing.birth_merge import Moves
from bayesgmm.methods.climbing.initialize import start
from bayesgmm.methods.climbing.loop import Climb, Stopping, climb
from bayesgmm.methods.vb import VariationalUpdate, prior_of
from bayesgmm.models import GaussianMixture, MixtureOfFiniteMixtures, Model, whitening_of
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.occupied import OCCUPIED, UnknownNumber
from bayesgmm.result.estimates import VariationalPosterior
from bayesgmm.rows import Rows

FEWEST_STARTS, MOST_STARTS = 4, 12  # of a search, which ends when the best optimum was found from two of them
SWEEPS = 60  # of a climb; what it lacks then is less than what tells good starts from poor ones
NATS = 0.1  # of the bound still to come, at which a climb may stop: far below what tells modes apart
SAME_NATS = 0.5  # two climbs that end so near each other are taken for one optimum
MOVES = 40  # births and merges that a search tries at most
MODE_NATS = 6.0  # a mode farther below the best holds 0.2 percent of the posterior, or somewhat more: bounds are loose
PART_ROWS = 2500  # of large data a search sees at least so many rows,
ROWS_PER_MEAN = 50  # and so many for each mean of a component in each column
LONGEST = 10  # times `SWEEPS` that the climb from a given mixture takes at most
TROUBLE = (np.linalg.LinAlgError, FloatingPointError, ZeroDivisionError, ValueError)  # of a start or a move that fails


@dataclass(frozen=True, eq=False)
class Optimum:
    """A local optimum of the bound.

    Parameters
    ----------
    state : ConjugateMixture
    stats : SufficientStatistics
        Of all points, with the scores of `state`.
    log_evidence : float
        The bound, and the log of the number of namings of its components beyond those that all optima have.
    log_density : (n,) array
        Of the expected parameters, at every point.
    """

    state: ConjugateMixture
    stats: SufficientStatistics
    log_evidence: float
    log_density: np.ndarray

    @property
    def n_occupied(self) -> int:
        return int((self.stats.counts >= OCCUPIED).sum())


class Landscape:
    """The bound of a model on some data.

    Under an `IndependentNormalInverseWishart` it is that of the nearest conjugate prior, and of a
    `MixtureOfFiniteMixtures` that of the occupied components, with K integrated out.
    """

    def __init__(self, model: Model, data: Rows):
        self.model, self.data, self.whitening = model, data, whitening_of(model, data)

    def search(self, rng: np.random.Generator) -> list[Optimum]:
        """One search: the optima that it found, the best first; none where every start failed."""
        model, n, d = self.model, len(self.data), self.data.values.shape[1]
        n_rows = max(PART_ROWS, ROWS_PER_MEAN * model.n_components * (d + 1))
        rows = None if n <= 2 * n_rows else np.sort(rng.choice(n, n_rows, replace=False))
        found = self._explored(self.data if rows is None else self.data.subset(rows), rng)
        if rows is not None:
            found = [self._climbed(self.data, one.state) for one in _worth_polishing(found)]
        return self.distinct([self._optimum(one) for one in found if one is not None])

    def nearest(self, params: MixtureParams, until: float = np.inf) -> Optimum | None:
        """The optimum to which the bound leads from a mixture; a climb ends where the evidence is above `until`."""
        readout = self._readout(self.data.n_obs)
        found = None
        with np.errstate(all="ignore"):
            try:
                found = self._climbed(self.data, readout.read(self.data.sweep(params.scores())))
                for _ in range(LONGEST - 1):
                    if found is None or found.is_converged or self._log_evidence(found) >= until:
                        break
                    found = self._climbed(self.data, found.state)
            except TROUBLE:
                return None
        return None if found is None else self._optimum(found)

    def distinct(self, optima: Sequence[Optimum]) -> list[Optimum]:
        """One optimum of each mode, the best first.

        Two are one mode where the sum over the data of the squared differences of their log densities is below the
        number of parameters: it estimates their squared distance in posterior standard deviations, and draws of one
        mode are farther apart.
        """
        kept: list[Optimum] = []
        for one in sorted(optima, key=lambda found: -found.log_evidence):
            limit = self._n_parameters(max(one.n_occupied, 1))
            if all(self.data.total((one.log_density - other.log_density) ** 2) > limit for other in kept):
                kept.append(one)
        return kept

    def start_of(self, optimum: Optimum, rng: np.random.Generator) -> MixtureParams:
        """A draw from the posterior given the assignment at an optimum."""
        return self.model.conjugate().update(optimum.stats).sample(rng, 1)[0]

    def _readout(self, n_obs: float) -> VariationalUpdate:
        model = self.model
        if isinstance(model, MixtureOfFiniteMixtures):
            log_prior = model.components_prior.log_probability(model.max_components)
            weights = UnknownNumber.of(log_prior, float(np.asarray(model.weights.concentration)), int(n_obs))
            return VariationalUpdate(replace(model.conjugate(), weights=weights), self.whitening)
        return VariationalUpdate(prior_of(model), self.whitening)

    def _explored(self, rows: Rows, rng: np.random.Generator) -> list[Climb[ConjugateMixture]]:
        """Climbs from several starts and, by moves, from the best of them; the best first."""
        readout, stopping, climbs = self._readout(rows.n_obs), _stopping(rows), []
        with np.errstate(all="ignore"):  # what is not finite is left out below
            for number in range(1 if self.model.n_components == 1 else MOST_STARTS):
                try:
                    stats = start(
                        rows, self.model.covariance, self.whitening, *self._how(number, rng), rng, number // 2
                    )
                    state = readout.read(stats.padded(self.model.n_components))
                except TROUBLE:
                    continue
                one = self._climbed(rows, state)
                climbs.extend([] if one is None else [one])
                climbs.sort(key=lambda found: -found.objective)
                if number + 1 >= FEWEST_STARTS and _is_found_again([c.objective for c in climbs]):
                    break
            if climbs and self.model.n_components > 1:
                try:
                    search = Moves(rows, readout, self.whitening, stopping, MOVES, rng)
                    moved = search(replace(climbs[0], is_converged=True))
                except TROUBLE:  # such as a division of equal points
                    return climbs
                if moved.is_interrupted:
                    raise KeyboardInterrupt
                if moved.climb.objective > climbs[0].objective:
                    climbs.insert(0, moved.climb)
        return climbs

    def _how(self, number: int, rng: np.random.Generator) -> tuple[int, str]:
        """Parts and kind of a start: k-means++ and random points in turn; any number of parts where it is unknown."""
        k = self.model.n_components
        n_parts = k if isinstance(self.model, GaussianMixture) else int(rng.integers(1, k + 1))
        return n_parts, "random" if number % 2 else "kmeans++"

    def _climbed(self, rows: Rows, state: ConjugateMixture) -> Climb[ConjugateMixture] | None:
        with np.errstate(all="ignore"):
            try:
                found = climb(rows, self._readout(rows.n_obs), state, _stopping(rows))
            except TROUBLE:
                return None
        if found.is_interrupted:
            raise KeyboardInterrupt
        return found if np.isfinite(found.objective) else None

    def _optimum(self, found: Climb[ConjugateMixture]) -> Optimum:
        density = self.data.log_sums(VariationalPosterior(found.state, 0).params.scores())
        return Optimum(found.state, found.stats, self._log_evidence(found), density)

    def _log_evidence(self, found: Climb[ConjugateMixture]) -> float:
        """The bound is that of one naming of the components; K! / e! of them differ where e are empty.

        Where some components are known, as are those of labelled rows, so it is in each group of components alike.
        """
        is_symmetric = (
            isinstance(self.model, GaussianMixture) and np.ptp(np.asarray(self.model.weights.concentration)) == 0
        )
        if not is_symmetric:
            return found.objective
        groups, is_empty = self.data.groups(len(found.stats.counts)), found.stats.counts < OCCUPIED
        return found.objective - float(gammaln(np.bincount(groups[is_empty]) + 1.0).sum())

    def _n_parameters(self, k: int) -> int:
        d = self.data.values.shape[1]
        return k - 1 + k * d + self.model.covariance.n_parameters(k, d)


def _stopping(rows: Rows) -> Stopping:
    return Stopping(SWEEPS, NATS / rows.n_obs, None)


def _is_found_again(objectives: Sequence[float]) -> bool:
    """Whether two of the climbs, the best first, ended in one best optimum, or in two that are as good."""
    return len(objectives) > 1 and objectives[0] - objectives[1] < SAME_NATS


def _worth_polishing(climbs: Sequence[Climb[ConjugateMixture]]) -> list[Climb[ConjugateMixture]]:
    """Of climbs on a part of the data, the best first, those that may matter, and one of each height."""
    kept: list[Climb[ConjugateMixture]] = []
    for one in climbs:
        if not kept or climbs[0].objective - MODE_NATS < one.objective < kept[-1].objective - SAME_NATS:
            kept.append(one)
    return kept
