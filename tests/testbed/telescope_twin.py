"""A plain telescoping sampler for one column, written from the paper; makes the numbers that Gibbs is compared with.

Fruehwirth-Schnatter, Malsiner-Walli and Gruen (2021), Bayesian Analysis 16, 1279-1307, doi:10.1214/21-BA1294, with the
priors of Richardson and Green (1997), doi:10.1111/1467-9868.00095: K ~ U{1..30}, Dirichlet(1) weights,
mean ~ N(midrange, R^2), variance ~ IG(2, C0), C0 ~ Gamma(0.2, 10 / R^2).  No moves between modes.

``python tests/testbed/telescope_twin.py`` prints `PROBABILITIES` and `MEAN` anew: four chains of 600,000 sweeps, from
3, 10, 6 and 20 components, the first 5,000 dropped.
"""

import math

import numpy as np
from numba import njit

LARGEST = 30
PROBABILITIES = {3: 0.0599, 4: 0.1369, 5: 0.1869, 6: 0.1933, 7: 0.1577, 8: 0.1092, 9: 0.0680, 10: 0.0396, 11: 0.0224,
                 12: 0.0122}  # fmt: skip
MEAN, MEAN_ERROR = 6.396, 0.020
# Between runs of 10,000 sweeps, which is what the vignette of R's package telescope makes:
SHORT_RUN_SD_OF_MEAN, SHORT_RUN_SD_OF_FIVE = 0.30, 0.023


@njit
def numbers_of_components(y, n_sweeps, seed, k):
    """(n_sweeps,) draws of K, from k components."""
    np.random.seed(seed)
    width, center = y.max() - y.min(), 0.5 * (y.max() + y.min())
    mean, variance, weight, scale = np.zeros(LARGEST), np.ones(LARGEST), np.zeros(LARGEST), 0.02 * width**2
    for j in range(k):
        mean[j], variance[j], weight[j] = y[np.random.randint(len(y))], 1.0 + np.random.random(), 1.0 / k
    drawn, p = np.zeros(n_sweeps, np.int64), np.zeros(LARGEST)
    labels, place = np.zeros(len(y), np.int64), np.zeros(LARGEST, np.int64)
    for sweep in range(n_sweeps):
        count, total, squares = np.zeros(LARGEST), np.zeros(LARGEST), np.zeros(LARGEST)
        for i in range(len(y)):
            for j in range(k):
                p[j] = weight[j] * math.exp(-0.5 * (y[i] - mean[j]) ** 2 / variance[j]) / math.sqrt(variance[j])
            labels[i] = pick(p[:k])
            count[labels[i]] += 1
        occupied = 0
        for j in range(k):
            place[j] = occupied
            if count[j] > 0:
                count[occupied], mean[occupied], variance[occupied] = count[j], mean[j], variance[j]
                occupied += 1
        for i in range(len(y)):
            j = place[labels[i]]
            total[j] += y[i]
            squares[j] += (y[i] - mean[j]) ** 2
        precisions = 0.0
        for j in range(occupied):
            precision = np.random.gamma(2.0 + 0.5 * count[j]) / (scale + 0.5 * squares[j])
            spread = 1.0 / (1.0 / width**2 + count[j] * precision)
            mean[j] = spread * (center / width**2 + precision * total[j]) + math.sqrt(spread) * np.random.randn()
            variance[j] = 1.0 / precision
            precisions += precision
        scale = np.random.gamma(0.2 + 2.0 * occupied) / (10.0 / width**2 + precisions)
        k = number_given(occupied, len(y), p)
        for j in range(k):
            if j >= occupied:
                count[j] = 0.0
                variance[j] = scale / np.random.gamma(2.0)
                mean[j] = center + width * np.random.randn()
            weight[j] = np.random.gamma(1.0 + count[j])
        weight[:k] /= weight[:k].sum()
        drawn[sweep] = k
    return drawn


@njit
def number_given(occupied, n, p):
    """K given the occupied components: in proportion to K! / (K - occupied)! Gamma(K) / Gamma(K + n)."""
    for k in range(1, LARGEST + 1):
        p[k - 1] = -math.inf
        if k >= occupied:
            p[k - 1] = math.lgamma(k + 1) - math.lgamma(k - occupied + 1) + math.lgamma(k) - math.lgamma(k + n)
    top = p.max()
    for k in range(LARGEST):
        p[k] = math.exp(p[k] - top)
    return pick(p) + 1


@njit
def pick(p):
    """A place in proportion to p."""
    u, j = np.random.random() * p.sum(), 0
    while j < len(p) - 1 and u >= p[j]:
        u -= p[j]
        j += 1
    return j


def galaxies():
    """The galaxy data with the value that R's package telescope, and Richardson and Green, have for row 77."""
    import bayesgmm as bg

    X = bg.load_dataset("galaxies").X.copy()
    assert X[77] == 26.690
    X[77] = 26.960
    return X


if __name__ == "__main__":
    y, blocks = galaxies()[:, 0], []
    for seed, k in ((1, 3), (2, 10), (3, 6), (4, 20)):
        blocks.append(numbers_of_components(y, 600_000, seed, k)[10_000:].reshape(-1, 10_000))
    runs = np.concatenate(blocks)
    print({k: round((runs == k).mean(), 4) for k in PROBABILITIES}, runs.mean())
    print("10,000 sweeps: sd of the mean", runs.mean(1).std(), "of p(5)", (runs == 5).mean(1).std())
