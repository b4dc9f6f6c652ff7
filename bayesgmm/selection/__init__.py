"""The choice among many models at once: `search` over numbers of components and families of covariances."""

from bayesgmm.selection.found import Search
from bayesgmm.selection.run import search

__all__ = ["Search", "search"]
