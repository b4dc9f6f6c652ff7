"""What options mean, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

from bayesgmm.errors import ArgumentError
from bayesgmm.families.named import as_structure
from bayesgmm.methods.advi import ADVI
from bayesgmm.methods.em import EM, MAP
from bayesgmm.methods.gibbs import Gibbs
from bayesgmm.methods.nuts import NUTS
from bayesgmm.methods.online import OnlineEM
from bayesgmm.methods.pathfinder import Pathfinder
from bayesgmm.methods.svb import StochasticVB
from bayesgmm.methods.vb import VB
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures, Model
from bayesgmm.result.method import Method

# Cheapest first: the order in which the grid runs.
METHODS = ("em", "online", "map", "vb", "svb", "pathfinder", "gibbs", "nuts", "advi")
MODELS = ("finite", "dp", "mfm")
MAX_SIZES = 100


def parse_components(text: str) -> tuple[int, ...]:
    """ "1:6", "2,3,5", "1:3,6" or "3" as ascending numbers.

    Raises
    ------
    ArgumentError
        It is none of these, a range ends before it begins, or a number is below 1.
    """
    sizes: set[int] = set()
    for part in text.split(","):
        ends = part.split(":")
        try:
            low, high = int(ends[0]), int(ends[-1])
        except ValueError:
            ends = []
        if len(ends) not in (1, 2):
            raise ArgumentError(f"--components {text}: write a range such as 1:6, a list such as 2,3,5, or one number.")
        if low < 1:
            raise ArgumentError(f"--components {text}: a mixture has at least 1 component.")
        if high < low:
            raise ArgumentError(f"--components {text}: the range ends before it begins; write {high}:{low}.")
        if high - low >= MAX_SIZES:
            raise ArgumentError(f"--components {text}: that is more than {MAX_SIZES} numbers; write a shorter range.")
        sizes.update(range(low, high + 1))
    return tuple(sorted(sizes))


def parse_methods(text: str) -> tuple[str, ...]:
    """ "em,vb,nuts" as names, cheapest first.

    Raises
    ------
    ArgumentError
        A name is unknown.
    """
    return _names("methods", "method", text, METHODS)


def parse_models(text: str) -> tuple[str, ...]:
    """ "finite,dp" as names, in the order of `MODELS`.

    Raises
    ------
    ArgumentError
        A name is unknown.
    """
    return _names("models", "model", text, MODELS)


def parse_covariances(text: str) -> tuple[str, ...]:
    """ "full,VEV" as names, in the order that is given; of two names of one family, the field's word.

    Raises
    ------
    ArgumentError
        A name is unknown.
    """
    return tuple(dict.fromkeys(as_structure(name.strip()).name for name in text.split(",")))


def _names(option: str, noun: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = [name.strip().lower() for name in text.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(f"--{option} {text}: there is no {noun} {unknown[0]!r}; there are {', '.join(known)}.")
    return tuple(name for name in known if name in names)


def method_of(name: str, draws: int | None, tune: int | None) -> Method:
    """The method of that name with the grid's options; where they are None it has its own."""
    gibbs, nuts = Gibbs(draws=draws), NUTS(draws=draws)
    samplers = {"gibbs": gibbs, "nuts": nuts}
    if tune is not None:
        samplers = {name: replace(sampler, tune=tune) for name, sampler in samplers.items()}
    online = {"online": OnlineEM(), "svb": StochasticVB()}
    approximate = {"vb": VB(), "advi": ADVI(), "pathfinder": Pathfinder()}
    return ({"em": EM(), "map": MAP()} | online | approximate | samplers)[name]


def models_of(name: str, sizes: tuple[int, ...], truncation: int, covariance: str) -> dict[str, Model]:
    """The models of a kind by the ends of their cells' names: one per size, or one where the number is unknown."""
    if name == "dp":
        return {f"dp-T{truncation}": DirichletProcessMixture(truncation, covariance)}
    if name == "mfm":
        return {f"mfm-M{truncation}": MixtureOfFiniteMixtures(truncation, covariance)}
    return {f"K{k}": GaussianMixture(k, covariance) for k in sizes}
