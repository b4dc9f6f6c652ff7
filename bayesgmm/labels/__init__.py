"""Labels: what the components say about which points belong together."""

from bayesgmm.labels.arrays import permutations
from bayesgmm.labels.relabelling import relabel

__all__ = ["permutations", "relabel"]
