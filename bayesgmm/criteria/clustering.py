"""How well the components recover labels that are known."""

from __future__ import annotations

import numpy as np

from bayesgmm.core import density
from bayesgmm.criteria.score import Score
from bayesgmm.result.fit import Fit

ARI_DRAWS = 200  # its posterior mean to a fourteenth of its posterior standard deviation


def ari(fit: Fit, X: np.ndarray, labels: np.ndarray) -> Score:
    """Adjusted Rand index of the labels and the most probable components.

    For draws it is the mean over at most 200 evenly spaced draws, each with its own allocation of the points:
    the index does not depend on the order of the components, so nothing needs to be aligned.

    Hubert and Arabie (1985), Journal of Classification 2, 193-218, doi:10.1007/BF01908075.
    """
    if fit.kind != "draws":
        return Score("ari", rand_index(labels, fit.predict(X)))
    draws = fit.params.reshaped(-1)
    n_draws = len(draws.weights)
    chosen = np.unique(np.linspace(0, n_draws - 1, ARI_DRAWS).astype(int))
    values = np.array([rand_index(labels, density.log_joint(draws[s].scores(), X).argmax(1)) for s in chosen])
    return Score("ari", float(values.mean()), float(values.std()))


def rand_index(labels: np.ndarray, partition: np.ndarray) -> float:
    """Adjusted Rand index of two partitions."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(labels, partition))
