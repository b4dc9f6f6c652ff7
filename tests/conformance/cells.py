"""Every engine with every family and model: what can be fitted, and the table of it for the docs.

``python -m conformance.cells``, from the folder of the tests, prints the page ``docs/conformance.md``.
"""

from itertools import product

import bayesgmm as bg
from bayesgmm.errors import NotApplicableError
from bayesgmm.families.decomposed import DECOMPOSED
from bayesgmm.families.gaussian import STRUCTURES
from bayesgmm.fitting import check_applicable

ENGINES = {
    "EM": bg.EM(n_init=2, moves=2),
    "MAP": bg.MAP(n_init=2, moves=2),
    "VB": bg.VB(n_init=2, moves=2),
    "OnlineEM": bg.OnlineEM(20),
    "StochasticVB": bg.StochasticVB(20),
    "Gibbs": bg.Gibbs(draws=20, tune=20, chains=2),
    "NUTS": bg.NUTS(draws=20, tune=40, chains=1),
    "ADVI": bg.ADVI(n_iter=1000),
    "Pathfinder": bg.Pathfinder(paths=2),
}
MODELS = {
    "finite": lambda family: bg.GaussianMixture(2, family),
    "Dirichlet process": lambda family: bg.DirichletProcessMixture(4, family),
    "unknown number": lambda family: bg.MixtureOfFiniteMixtures(4, family),
}
GROUPS = {"the six structures": tuple(STRUCTURES), "mclust's other eight": tuple(family.name for family in DECOMPOSED)}
FAMILIES = [name for names in GROUPS.values() for name in names]
CELLS = [(engine, family, model) for engine in ENGINES for family in FAMILIES for model in MODELS]
HEAD = """# What can be fitted with what

Each engine with each model, family of covariances and kind of rows. The six structures (full, tied, diagonal,
shared_diagonal, spherical, isotropic) make no difference, nor do mclust's other eight (VEI, EVI, VEE, EVE, VVE, EEV,
VEV, EVV). Every cell is run by
`tests/conformance`: rows of weight zero must be as if they were not there, float32 must give what its values give as
float64, labels must be the offsets of 0 and minus infinity that they stand for, and offsets must be those that one
number more in each row leaves as they are.  Where it says no, `bg.fit` raises NotApplicableError before any work.

"""


def is_applicable(engine, family, model):
    """Whether `bg.fit` takes the combination."""
    try:
        check_applicable(MODELS[model](family), ENGINES[engine])
    except NotApplicableError:
        return False
    return True


def takes_known_rows(model):
    """Whether labels and offsets can name the components of a model."""
    return model == "finite"


def page():
    """The page of the docs."""
    heads = [f"{model}, {group}" for group in GROUPS for model in MODELS]
    columns = ["engine", *heads, "weights of rows", "labels and offsets", "float32"]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for engine, method in ENGINES.items():
        marks = []
        for names, model in product(GROUPS.values(), MODELS):
            taken = {is_applicable(engine, family, model) for family in names}
            assert len(taken) == 1, "the table must have a column for each family"
            marks.append("yes" if taken == {True} else "no")
        whole = getattr(method, "needs_whole_weights", False)
        known = " and ".join(model for model in MODELS if takes_known_rows(model))
        weights = "whole numbers" if whole else "any"
        lines.append(f"| {engine} | " + " | ".join([*marks, weights, known, "yes"]) + " |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
