"""Descriptions of mixture models: frozen, without data and without fit state."""

from bayesgmm.models.finite import GaussianMixture
from bayesgmm.models.process import DirichletProcessMixture
from bayesgmm.models.spread import check_rows, check_spread, is_singular, moments_of
from bayesgmm.models.unknown import MixtureOfFiniteMixtures
from bayesgmm.models.whitening import whitening_of

Model = GaussianMixture | DirichletProcessMixture | MixtureOfFiniteMixtures

__all__ = [
    "DirichletProcessMixture", "GaussianMixture", "MixtureOfFiniteMixtures", "Model", "check_rows", "check_spread",
    "is_singular", "moments_of", "whitening_of",
]  # fmt: skip
