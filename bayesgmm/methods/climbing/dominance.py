"""Where a floor or a prior, and not the points, decides how wide a component is; and what is narrow by chance.

Both floors and default priors are measured by the spread of all data.  Far outliers, or groups that are narrow beside
the range of the data, make that spread large, and what is small beside it can be larger than a group.
"""

from __future__ import annotations

import numpy as np
import scipy

from bayesgmm.core.matrices import invert_triangular
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.result.diagnostics import Flag

NARROW = 1e-6  # of the data's variance: a thousandth of their standard deviation
OUTWEIGHS = 3.0  # times the scatter of the points: from there on the prior doubles the standard deviation
LONE = 1.5  # points
FEW = 10  # points beyond as many as there are columns
COLLAPSE = 0.5 * np.log(1e12)  # nats that a value gains as its variance falls from the data's to the lowest floor


def resolvable(whitening: np.ndarray) -> float:
    """The smallest whitened variance that sums of products in float64 can tell from zero.

    A second moment of columns of spread s is known to ``eps s_i s_j``, which whitening by W makes
    ``eps (sum_i |W_ia| s_i)^2``: large where columns are nearly dependent.  Below it a step of EM could go down.
    """
    if whitening.ndim == 1:
        return 0.0
    spread = np.sqrt((invert_triangular(whitening[None])[0] ** 2).sum(0))
    return float(np.finfo(float).eps * (np.abs(whitening).T @ spread).max() ** 2)


def is_by_chance(whitened_variance: float, n_points: float, n_features: int) -> bool:
    """Whether so few points may lie so nearly on a point, line or plane by chance.

    Any D points lie on a plane.  That m more lie within a thousandth of the spread of it is likely somewhere among
    10^4 points up to an m of about five, and unheard of from ten on, so a narrow group of many points is a group.
    McLachlan and Peel (2000), Finite Mixture Models, section 3.10, on spurious optima.
    """
    return bool(whitened_variance < NARROW and n_points <= n_features + FEW)


def gain_by_collapse(flags: tuple[Flag, ...], row_weight: float) -> float:
    """What suspicious components add to a log likelihood at most by being narrow; without a bound where points are few.

    A few points that happen to lie together are no group, however well they do as one.
    """
    if any(flag.n_points <= len(flag.direction) + FEW for flag in flags):
        return np.inf
    return float(sum(COLLAPSE * len(flag.direction) * flag.n_points * row_weight for flag in flags))


def floor_remark(
    flags: tuple[Flag, ...], stats: SufficientStatistics, whitening: np.ndarray, floor: float, lowest: float
) -> str:
    """A sentence about the component of most points that the floor holds wider than its points are."""
    scatter, n_features = stats.scatter(), stats.first.shape[1]
    for flag in sorted(flags, key=lambda flag: -flag.n_points):
        a, k = np.array(flag.direction), flag.component
        if flag.whitened_variance > 1.001 * floor or flag.n_points <= n_features + FEW:
            continue
        own = _along(scatter[k], a) / stats.counts[k]
        held = flag.whitened_variance * _whole(whitening, a)
        if not 0.0 <= own < 0.999 * held:
            continue
        ratio = own / held * floor
        if ratio <= lowest:
            advice = (
                "No floor that float64 allows is lower: these points are all but tied, or outliers are too far away."
            )
        else:
            advice = (
                f"If they are a group of their own, give floor={10.0 ** np.floor(np.log10(0.1 * ratio)):.0e} or less."
            )
        return (
            f"The floor={floor:.2g} outweighs the scatter of the {flag.n_points:.1f} points of component {k}: their "
            f"standard deviation in its narrowest direction is {np.sqrt(own):.3g}, and the floor holds it at "
            f"{np.sqrt(held):.3g}. {advice}"
        )
    return ""


def prior_remark(prior: ConjugateComponents, stats: SufficientStatistics) -> str:
    """A sentence about the components whose prior adds far more to their scatter than their points have.

    It adds its scale, and the pull of its mean: ``mean_precision`` times the squared distance from it.  Only of
    components with more points than the prior stands for (its degrees of freedom): that it decides the others is what a
    prior is for.
    """
    structure = prior.structure
    posterior, own = prior.update(stats), structure.pool(stats.scatter())
    added = posterior.scale - own
    ratios = [_largest_share(own[k], added[k]) for k in range(len(own))]
    found = [k for k in range(len(own)) if ratios[k][0] > OUTWEIGHS and posterior.dof[k] > 2.0 * prior.dof[k]]
    if not found:
        return ""
    k = max(found, key=lambda k: ratios[k][0])
    ratio, direction = ratios[k]
    scatter, scale = max(_along(own[k], direction), 0.0), _along(prior.scale[k], direction)
    alone = np.sqrt(scatter / (posterior.dof[k] - prior.dof[k]))
    held = np.sqrt(_along(posterior.scale[k], direction) / posterior.dof[k])
    pull = _along(added[k], direction) - scale
    name, size = ("scale=", scale) if scale >= pull else ("mean_precision=", pull)
    whose = "all components" if structure.is_shared else f"component {k} ({stats.counts[k]:.1f} points)"
    others = f" and of {len(found) - 1} more" if len(found) > 1 else ""
    advice = "Its points are tied there, so that the prior alone says how wide it is."
    if np.isfinite(ratio):
        what = "it is" if name == "scale=" else "it adds"
        advice = (
            f"If that is not meant, give the prior a smaller {name}: in that direction {what} {size:.3g}, and the "
            f"scatter of the points is {scatter:.3g}."
        )
    return (
        f"The prior's {name} outweighs the scatter of {whose}{others}: in its narrowest direction the standard "
        f"deviation is {held:.3g}, and {alone:.3g} by the points alone. {advice}"
    )


def lone_remark(counts: np.ndarray) -> str:
    """A sentence about the components of a mode that have one point or none: the prior alone says what they are."""
    lone = np.flatnonzero(counts < LONE)
    if not len(lone):
        return ""
    which = f"Component {lone[0]} has" if len(lone) == 1 else f"Component {lone[0]} and {len(lone) - 1} more have"
    return (
        f"{which} no more than one point, so that the prior alone decides about {'it' if len(lone) == 1 else 'them'}: "
        "fewer components describe these data as well, or the prior's scale= is too large to see the groups in them."
    )


def _along(matrix: np.ndarray, direction: np.ndarray) -> float:
    """Quadratic form of a matrix, or of the diagonal of one."""
    if matrix.ndim == 1:
        return float(matrix @ direction[: len(matrix)] ** 2)
    return float(direction @ matrix @ direction)


def _whole(whitening: np.ndarray, direction: np.ndarray) -> float:
    """The data's own variance in a direction."""
    if whitening.ndim == 1:
        return float(whitening**-2.0 @ direction**2)
    return float(((invert_triangular(whitening[None])[0] @ direction) ** 2).sum())


def _largest_share(own: np.ndarray, scale: np.ndarray) -> tuple[float, np.ndarray]:
    """The largest ratio of a prior's scale to the scatter of points, and the direction that has it."""
    if own.ndim == 1:
        j = int(np.argmin(own / scale))
        direction = np.zeros(len(own))
        direction[j] = 1.0
        return float(scale[j] / own[j]) if own[j] > 0 else np.inf, direction
    values, vectors = scipy.linalg.eigh(own, scale)
    direction = vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    return (float(1.0 / values[0]) if values[0] > 0 else np.inf), direction
