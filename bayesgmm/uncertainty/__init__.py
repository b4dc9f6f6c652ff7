"""How sure a fit is of its parameters: standard errors, bootstrap, and intervals of every kind of fit side by side."""

from bayesgmm.uncertainty.intervals import Intervals, intervals
from bayesgmm.uncertainty.ratio import LikelihoodRatioTest, likelihood_ratio_test
from bayesgmm.uncertainty.together import IntervalComparison, compare_intervals

__all__ = [
    "IntervalComparison", "Intervals", "LikelihoodRatioTest", "compare_intervals", "intervals",
    "likelihood_ratio_test",
]  # fmt: skip
