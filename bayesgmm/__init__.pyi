"""The public names and their homes: for type checkers, and for the package on the first use of a name."""

from . import labels
from .assessment.calibration import LooPit, PredictiveCheck, loo_pit, posterior_predictive_check
from .assessment.quality import clustering_quality
from .comparison import Comparison, compare
from .comparison.sensitivity import PriorSensitivity, prior_sensitivity
from .core.params import MixtureParams
from .criteria.evidence import log_evidence
from .data import DataSource, data_source
from .datasets import load_dataset
from .errors import (
    ArgumentError,
    BayesGMMError,
    DataError,
    FitError,
    NotApplicableError,
    NotConvergedWarning,
    TruncationWarning,
)
from .families.gaussian import Diagonal, Full, Isotropic, SharedDiagonal, Spherical, Tied
from .fitting import fit, load
from .labels import relabel
from .methods.advi import ADVI
from .methods.chains.stacking import ChainStack, stack_chains
from .methods.em import EM, MAP
from .methods.foreign.imported import from_datatree
from .methods.gibbs import Gibbs
from .methods.nuts import NUTS
from .methods.online import OnlineEM
from .methods.pathfinder import Pathfinder
from .methods.stream import RobbinsMonro
from .methods.svb import StochasticVB
from .methods.vb import VB
from .models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures
from .partitions.merging import Merging, merge_components
from .partitions.partition import Partition, partition
from .partitions.similarity import co_clustering, co_clustering_error
from .ppl.build import pymc_model
from .ppl.distribution import MvNormalMixture
from .priors.components import NormalInverseWishart
from .priors.concentration import Gamma
from .priors.counts import BetaNegativeBinomial, Uniform
from .priors.independent import HierarchicalScale, IndependentNormalInverseWishart
from .priors.weights import Dirichlet
from .result.alignment import Alignment
from .result.fit import Fit
from .result.mixture import Mixture
from .result.prior import PriorDraws, sample_prior
from .selection import Search, search
from .uncertainty import (
    IntervalComparison,
    Intervals,
    LikelihoodRatioTest,
    compare_intervals,
    intervals,
    likelihood_ratio_test,
)

__all__ = [
    "ADVI", "EM", "MAP", "NUTS", "VB", "Alignment", "ArgumentError", "BayesGMMError", "BetaNegativeBinomial",
    "ChainStack", "Comparison", "DataError", "DataSource", "Diagonal", "Dirichlet", "DirichletProcessMixture", "Fit",
    "FitError", "Full", "Gamma", "GaussianMixture", "Gibbs", "HierarchicalScale", "IndependentNormalInverseWishart",
    "IntervalComparison", "Intervals", "Isotropic", "LikelihoodRatioTest", "LooPit", "Merging", "Mixture",
    "MixtureOfFiniteMixtures", "MixtureParams", "MvNormalMixture", "NormalInverseWishart", "NotApplicableError",
    "NotConvergedWarning", "OnlineEM", "Partition", "Pathfinder", "PredictiveCheck", "PriorDraws", "PriorSensitivity",
    "RobbinsMonro", "Search", "SharedDiagonal", "Spherical", "StochasticVB", "Tied", "TruncationWarning", "Uniform",
    "clustering_quality", "co_clustering", "co_clustering_error", "compare", "compare_intervals", "data_source", "fit",
    "from_datatree", "intervals", "labels", "likelihood_ratio_test", "load", "load_dataset", "log_evidence", "loo_pit",
    "merge_components", "partition", "posterior_predictive_check", "prior_sensitivity", "pymc_model", "relabel",
    "sample_prior", "search", "stack_chains",
]  # fmt: skip

__version__: str
