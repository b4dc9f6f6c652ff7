"""Compiled blocks of the sweep: scores become log-sums and responsibilities, or hard labels."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.kernels.blocks import BLOCK, STRIDE
from bayesgmm.core.kernels.compilation import inline, inner
from bayesgmm.core.kernels.simd import WIDTH, exponent, fma, lanes, load, mantissa, power_of_two, store, where_greater

# For each Python integer, a constant, Numba would compile a copy.
SOFT, HARD, SAMPLED = np.int64(0), np.int64(1), np.int64(2)


@inline
def exp(x):
    """exp of lanes up to 0, to 1 ulp; below -708 it is 0, and NaN stays NaN.

    x = k log 2 + r with |r| <= (log 2) / 2 (Cody and Waite's two-part log 2; adding 1.5 * 2**52 rounds to an
    integer), and a polynomial through the Chebyshev nodes for (exp(r) - 1 - r) / r**2, in error by 2e-17.
    """
    shifted = fma(x, 1.4426950408889634, 6755399441055744.0)
    k = shifted - 6755399441055744.0
    r = fma(k, -1.6465949582897082e-12, fma(k, -0.6931471805582987, x))
    p = fma(r, 2.5100424157005067e-08, 2.7620138719733994e-07)
    p = fma(p, r, 2.7557268378684192e-06)
    p = fma(p, r, 2.480152119021773e-05)
    p = fma(p, r, 0.00019841269863105968)
    p = fma(p, r, 0.0013888888917281794)
    p = fma(p, r, 0.008333333333330051)
    p = fma(p, r, 0.04166666666662399)
    p = fma(p, r, 0.16666666666666669)
    p = fma(p, r, 0.5000000000000001)
    p = fma(p, r * r, r) + 1.0
    return where_greater(-708.0, x, 0.0, p * power_of_two(shifted))


@inline
def log(x):
    """log of positive normal lanes, to 1 ulp; NaN stays NaN.

    The method and coefficients of fdlibm's e_log.c (Sun Microsystems, 1993, freely distributable).
    """
    m, e = mantissa(x), exponent(x)
    e = where_greater(m, 1.4142135623730951, e + 1.0, e)
    m = where_greater(m, 1.4142135623730951, m * 0.5, m)
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    p = fma(z, 0.1479819860511658591, 0.1531383769920937332)
    p = fma(p, z, 0.1818357216161805012)
    p = fma(p, z, 0.2222219843214978396)
    p = fma(p, z, 0.2857142874366239149)
    p = fma(p, z, 0.3999999999940941908)
    p = fma(p, z, 0.6666666666666735130)
    half_square = f * f * 0.5
    low = fma(s, fma(p, z, half_square), e * 1.90821492927058770002e-10)
    return fma(x, 0.0, fma(e, 6.93147180369123816490e-01, f - (half_square - low)))


@inner
def log_sum_block(scores, m, log_sums, totals):
    """Scores become exp(score - the row's largest), `totals` their sum, `log_sums` the log-sum-exp.

    A row whose scores are all -inf gets a log-sum of -inf and a total of 1.
    """
    for i in range(0, m, WIDTH):
        top = load(scores, i)
        for k in range(1, scores.shape[0]):
            score = load(scores, k * STRIDE + i)
            top = where_greater(score, top, score, top)
        base = where_greater(-1.7976931348623157e308, top, 0.0, top)  # -inf less -inf would be NaN
        row_total = lanes(0.0)
        for k in range(scores.shape[0]):
            part = exp(load(scores, k * STRIDE + i) - base)
            store(scores, k * STRIDE + i, part)
            row_total = row_total + part
        row_total = where_greater(0.5, row_total, 1.0, row_total)  # the largest part is 1, so only where all are 0
        store(totals, i, row_total)
        store(log_sums, i, top + log(row_total))


@inner
def soften_block(scores, m, row_weights, log_sums):
    """Scores become responsibilities times row weight; `log_sums` gets each row's log-sum-exp.

    The responsibilities of a row whose scores are all -inf are zero.
    """
    totals = np.empty(BLOCK)
    log_sum_block(scores, m, log_sums, totals)
    for i in range(0, m, WIDTH):
        factor = load(row_weights, i) / load(totals, i)
        for k in range(scores.shape[0]):
            store(scores, k * STRIDE + i, load(scores, k * STRIDE + i) * factor)


@inner
def harden_block(scores, m, row_weights, log_sums):
    """Scores become the row's weight at the first largest score and zero elsewhere; `log_sums` its value."""
    for i in range(0, m, WIDTH):
        top, best = load(scores, i), lanes(0.0)
        for k in range(1, scores.shape[0]):
            score = load(scores, k * STRIDE + i)
            best = where_greater(score, top, float(k), best)
            top = where_greater(score, top, score, top)
        store(log_sums, i, top)
        weight = load(row_weights, i)
        for k in range(scores.shape[0]):
            share = where_greater(best, k - 0.5, weight, 0.0)
            store(scores, k * STRIDE + i, where_greater(best, k + 0.5, 0.0, share))


@inner
def choose_block(parts, m, chances, chosen):
    """Labels by inversion, in proportion to `parts`; `chosen` has their sums, and then the labels."""
    for i in range(m):
        chosen[i] *= chances[i]
    for i in range(0, m, WIDTH):
        threshold, cumulative, label = load(chosen, i), lanes(0.0), lanes(0.0)
        for k in range(parts.shape[0] - 1):
            cumulative = cumulative + load(parts, k * STRIDE + i)
            label = where_greater(cumulative, threshold, label, label + 1.0)
        store(chosen, i, label)


@inner
def mark_block(scores, m, row_weights, chosen):
    """Scores become the row's weight at its label and zero elsewhere."""
    for k in range(scores.shape[0]):
        for i in range(m):
            scores[k, i] = row_weights[i] if chosen[i] == k else 0.0
