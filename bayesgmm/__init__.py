"""Gaussian mixtures fitted by EM, variational Bayes and MCMC, and compared honestly."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bayesgmm import labels
from bayesgmm.comparison import Comparison, compare
from bayesgmm.core.covariance import Diagonal, Full, Isotropic, Spherical, Tied
from bayesgmm.core.params import MixtureParams
from bayesgmm.criteria.calibration import LooPit, PredictiveCheck, loo_pit, posterior_predictive_check
from bayesgmm.criteria.evidence import log_evidence
from bayesgmm.criteria.quality import clustering_quality
from bayesgmm.data import DataSource, data_source
from bayesgmm.datasets import load_dataset
from bayesgmm.errors import (
    ArgumentError,
    BayesGMMError,
    DataError,
    FitError,
    NotApplicableError,
    NotConvergedWarning,
    TruncationWarning,
)
from bayesgmm.fitting import fit, load
from bayesgmm.labels import relabel
from bayesgmm.labels.partition import Partition, partition
from bayesgmm.methods.advi import ADVI
from bayesgmm.methods.em import EM, MAP
from bayesgmm.methods.gibbs import Gibbs
from bayesgmm.methods.nuts import NUTS
from bayesgmm.methods.online import OnlineEM
from bayesgmm.methods.pathfinder import Pathfinder
from bayesgmm.methods.stacking import ChainStack, stack_chains
from bayesgmm.methods.stream import RobbinsMonro
from bayesgmm.methods.svb import StochasticVB
from bayesgmm.methods.vb import VB
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.counts import BetaNegativeBinomial, Uniform
from bayesgmm.priors.independent import HierarchicalScale, IndependentNormalInverseWishart
from bayesgmm.priors.weights import Dirichlet
from bayesgmm.result.alignment import Alignment
from bayesgmm.result.fit import Fit

if TYPE_CHECKING:
    from bayesgmm.ppl.build import pymc_model
    from bayesgmm.ppl.distribution import MvNormalMixture

__version__ = "0.1.0"

__all__ = [
    "ADVI", "EM", "MAP", "NUTS", "VB", "Alignment", "ArgumentError", "BayesGMMError", "BetaNegativeBinomial",
    "ChainStack", "Comparison", "DataError", "DataSource", "Diagonal", "Dirichlet", "DirichletProcessMixture", "Fit",
    "FitError", "Full", "Gamma", "GaussianMixture", "Gibbs", "HierarchicalScale", "IndependentNormalInverseWishart",
    "Isotropic", "LooPit", "MixtureOfFiniteMixtures", "MixtureParams", "MvNormalMixture", "NormalInverseWishart",
    "NotApplicableError", "NotConvergedWarning", "OnlineEM", "Partition", "Pathfinder", "PredictiveCheck",
    "RobbinsMonro", "Spherical", "StochasticVB", "Tied", "TruncationWarning", "Uniform", "clustering_quality",
    "compare", "data_source", "fit", "labels", "load", "load_dataset", "log_evidence", "loo_pit", "partition",
    "posterior_predictive_check", "pymc_model", "relabel", "stack_chains",
]  # fmt: skip

# These two import PyMC, which takes seconds; the rest of the package does not need it.
_PPL = {"pymc_model": "bayesgmm.ppl.build", "MvNormalMixture": "bayesgmm.ppl.distribution"}


def __getattr__(name: str) -> Any:
    if name not in _PPL:
        raise AttributeError(f"module 'bayesgmm' has no attribute {name!r}")
    return getattr(import_module(_PPL[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
