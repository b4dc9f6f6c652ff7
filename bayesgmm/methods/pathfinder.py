"""Multi-path Pathfinder: normal approximations on the optimiser's way to the modes, weighed against the posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import logsumexp

from bayesgmm.checks import whole_numbers
from bayesgmm.families.family import Capability
from bayesgmm.methods.approximation import Weighing, failed, flat_draws, one_blas_thread, verdict
from bayesgmm.methods.climbing.initialize import start
from bayesgmm.methods.vb import prior_of
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, whitening_of
from bayesgmm.priors.independent import COMPONENTS_PRIORS
from bayesgmm.result.approximation import ApproximateDraws, ApproximationDiagnostics
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.rows import Rows

if TYPE_CHECKING:
    from bayesgmm.flat.posterior import FlatPosterior
    from bayesgmm.ppl.variational import Gaussian


@dataclass(frozen=True)
class Pathfinder:
    """Draws from normal approximations near several modes of the posterior, resampled by their importance.

    From each of several random starts L-BFGS climbs the log posterior of the unconstrained parameters; of the normal
    approximations on its way the one with the best evidence bound is kept.  q is the mixture of these, in equal
    shares.  Draws of q are weighed by p / q, smoothed (PSIS), and resampled without replacement; `diagnostics` has
    the Pareto k-hat of the weights.  Paths end in different modes, so the labels of the draws are not aligned unless
    there is one path.

    Parameters
    ----------
    paths : int
    draws : int
        Draws of each path, and draws that the fit holds.
    max_iter : int
        Steps of a path.

    Raises
    ------
    ArgumentError
        An option is out of range.

    References
    ----------
    Zhang, Carpenter, Gelman and Vehtari (2022), Journal of Machine Learning Research 23(306), 1-49.
    """

    models: ClassVar[tuple[type, ...]] = (GaussianMixture, DirichletProcessMixture)
    priors: ClassVar = COMPONENTS_PRIORS
    needs: ClassVar[tuple[Capability, ...]] = ("conjugate", "coordinates")

    paths: int = 8
    draws: int = 1000
    max_iter: int = 1000

    def __post_init__(self):
        whole_numbers(self, {"paths": 1, "draws": 100, "max_iter": 1})

    def run(
        self,
        model: GaussianMixture | DirichletProcessMixture,
        data: Rows,
        rng: np.random.Generator,
        progress: Progress,
    ) -> MethodResult:
        """Follow every path, and weigh the draws of all."""
        from bayesgmm.flat.posterior import FlatPosterior
        from bayesgmm.ppl.variational import log_densities

        posterior = FlatPosterior.of(model, data)
        with one_blas_thread():
            kept, trouble, is_interrupted = self._follow(posterior, model, data, rng, progress)
            if not kept:
                if is_interrupted:
                    raise KeyboardInterrupt
                return failed(trouble)
            x = np.concatenate([q.draw(rng, self.draws) for q, _, _ in kept])
            log_q = logsumexp([q.log_density(x) for q, _, _ in kept], axis=0) - np.log(len(kept))
        found = Weighing.of(log_densities(posterior, x) - log_q)
        elbos = tuple(elbo for _, elbo, _ in kept)
        center = kept[int(np.argmax(elbos))][0].mean
        chosen = without_replacement(found.log_weights, self.draws, rng)
        params = posterior.coordinates.expand(np.vstack([center[None], x[chosen]]))
        diagnostics = ApproximationDiagnostics(
            found.pareto_k, found.elbo, found.elbo_se, sum(n for _, _, n in kept), elbos
        )
        status = verdict(diagnostics, trouble, is_interrupted, f"Followed {len(kept)} paths.")
        estimate = ApproximateDraws(params[0], params[1:][None], is_aligned=len(kept) == 1)
        return MethodResult(estimate, status, diagnostics, np.array([found.elbo]))

    def _follow(
        self,
        posterior: FlatPosterior,
        model: GaussianMixture | DirichletProcessMixture,
        data: Rows,
        rng: np.random.Generator,
        progress: Progress,
    ) -> tuple[list[tuple[Gaussian, float, int]], str, bool]:
        """The best approximation of each path, what went wrong, and whether it was an interrupt."""
        from bayesgmm.ppl.pathfinder import best_on_path

        prior, whitening, kept, trouble = prior_of(model), whitening_of(model, data), [], ""
        for path, generator in enumerate(rng.spawn(self.paths)):
            try:
                stats = start(data, model.covariance, whitening, model.n_components, "kmeans++", generator)
                begin = flat_draws(posterior.coordinates, prior.update(stats), generator, 1)[0]
                kept.append(best_on_path(posterior, begin, self.max_iter, generator))
                progress(path + 1, self.paths, "paths")
            except (FloatingPointError, np.linalg.LinAlgError) as error:
                trouble = f"Of {self.paths} paths at least one failed: {error}."
            except KeyboardInterrupt:
                return kept, f"Interrupted: {len(kept)} of {self.paths} paths were followed to their end.", True
        return kept, trouble, False


def without_replacement(log_weights: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of `n_draws` different draws, each next one picked in proportion to the weights that are left.

    So weights that a few draws dominate leave a spread sample of q, and not a few points (Gelman et al. 2013, Bayesian
    Data Analysis, section 10.4).
    """
    return np.argsort(log_weights + rng.gumbel(size=len(log_weights)))[::-1][:n_draws]
