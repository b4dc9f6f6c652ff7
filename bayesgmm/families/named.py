"""All families by their names: the field's words, and mclust's."""

from __future__ import annotations

from dataclasses import dataclass

from bayesgmm.errors import ArgumentError, shown
from bayesgmm.families.decomposed import DECOMPOSED
from bayesgmm.families.gaussian import STRUCTURES, CovarianceStructure, Full, Tied


@dataclass(frozen=True)
class OneColumnEqual(Tied):
    """One variance for all components, of one column (mclust E)."""

    name = mclust = "E"
    most_columns = 1


@dataclass(frozen=True)
class OneColumnVarying(Full):
    """Every component its own variance, of one column (mclust V)."""

    name = mclust = "V"
    most_columns = 1


FAMILIES: dict[str, CovarianceStructure] = {
    **STRUCTURES,
    **{family.name: family for family in (*DECOMPOSED, OneColumnEqual(), OneColumnVarying())},
}
FOURTEEN = tuple("EII VII EEI VEI EVI VVI EEE VEE EVE VVE EEV VEV EVV VVV".split())  # mclust's order
BY_CODE: dict[str, CovarianceStructure] = {family.mclust: family for family in FAMILIES.values()}
OTHER_WORDS = {
    "diag": "diagonal", "spheric": "spherical", "homoscedastic": "tied", "pooled": "tied", "common": "tied",
    "heteroscedastic": "full", "general": "full", "unconstrained": "full", "ellipsoidal": "full",
    "unrestricted": "full",
}  # fmt: skip


def as_structure(covariance: str | CovarianceStructure) -> CovarianceStructure:
    """The family that ``covariance=`` names.

    Raises
    ------
    ArgumentError
        There is no such name; it says which word is meant, where that is known.
    """
    if isinstance(covariance, CovarianceStructure):
        return covariance
    found = FAMILIES.get(covariance, BY_CODE.get(covariance)) if isinstance(covariance, str) else None
    if found is not None:
        return found
    names = ", ".join(map(repr, STRUCTURES))
    known = f"one of {names}, one of mclust's names ({', '.join(FOURTEEN)}, or E and V for one column)"
    raise ArgumentError(
        f"covariance={shown(covariance)} must be {known}, or an object such as Full().{_meant(covariance)}"
    )


def _meant(covariance: object) -> str:
    """The name that a word of other programs stands for, as a sentence."""
    if not isinstance(covariance, str):
        return ""
    word = OTHER_WORDS.get(covariance.lower(), covariance.upper() if covariance.upper() in BY_CODE else None)
    word = covariance.lower() if word is None and covariance.lower() in FAMILIES else word
    return "" if word is None else f" Here the word is {word!r}."
