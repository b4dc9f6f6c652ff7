"""Relabelling that makes the responsibilities of all draws alike, in Kullback-Leibler divergence.

References
----------
Stephens (2000), Journal of the Royal Statistical Society B 62, 795-809, doi:10.1111/1467-9868.00265.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.labels.matching import log_mean, match_until_settled
from bayesgmm.labels.relabel_input import Material


def stephens(material: Material) -> np.ndarray:
    """Orders with a minimal sum over draws of KL(P_t || Q), Q the mean of the P_t so ordered; begun at those of ECR.

    Neither step raises the sum: Q is the minimiser given the orders, the orders are the minimiser given Q.
    """
    assert material.responsibilities is not None
    return match_until_settled(material.responsibilities, material.pivot_partition(), log_mean, material.max_iter)
