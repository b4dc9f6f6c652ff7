"""Pictures of fits and comparisons.

Every function takes an optional Matplotlib ``figure`` (a Figure, or a SubFigure where it is part of a larger
picture), draws into it and returns it.  Without one it makes a figure of its own that no global state knows:
it shows in a notebook, and ``figure.savefig("name.pdf")`` writes it.
"""

from bayesgmm.plots.calibration import plot_loo_pit, plot_predictive_check
from bayesgmm.plots.chains import plot_ranks, plot_traces
from bayesgmm.plots.clusters import plot_credible_ball, plot_partition
from bayesgmm.plots.components import plot_components
from bayesgmm.plots.criteria import plot_criteria
from bayesgmm.plots.density import plot_density
from bayesgmm.plots.intervals import plot_intervals, plot_likelihood_ratio
from bayesgmm.plots.merging import plot_merging
from bayesgmm.plots.partition import plot_co_clustering, plot_responsibilities
from bayesgmm.plots.prior import plot_prior
from bayesgmm.plots.sensitivity import plot_prior_sensitivity

__all__ = [
    "plot_co_clustering", "plot_components", "plot_credible_ball", "plot_criteria", "plot_density",
    "plot_intervals", "plot_likelihood_ratio", "plot_loo_pit", "plot_merging", "plot_partition",
    "plot_predictive_check", "plot_prior", "plot_prior_sensitivity", "plot_ranks", "plot_responsibilities",
    "plot_traces",
]  # fmt: skip
