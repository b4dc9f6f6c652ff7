"""Small real data sets that the mixture literature keeps coming back to."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from bayesgmm.errors import ArgumentError

_SOURCES = {
    "faithful": (
        "Eruption length and waiting time (minutes) of 272 eruptions of the Old Faithful geyser, R's copy. "
        "Azzalini, A. and Bowman, A. W. (1990), A look at some data on the Old Faithful geyser, "
        "Applied Statistics 39, 357-365, doi:10.2307/2347385."
    ),
    "iris": (
        "Four measurements (cm) of 150 flowers of three species of iris, collected by E. Anderson. "
        "Fisher, R. A. (1936), The use of multiple measurements in taxonomic problems, "
        "Annals of Eugenics 7, 179-188, doi:10.1111/j.1469-1809.1936.tb02137.x."
    ),
    "galaxies": (
        "Velocities (1000 km/s) of 82 galaxies near Corona Borealis, the copy in R's MASS divided by 1000; "
        "it holds 26.690 where the original table and other copies have 26.960. "
        "Roeder, K. (1990), Density estimation with confidence sets exemplified by superclusters and voids in the "
        "galaxies, Journal of the American Statistical Association 85, 617-624, doi:10.2307/2289993."
    ),
    "diabetes": (
        "Glucose, insulin and steady-state plasma glucose of 145 adults in three clinical groups, the copy in R's "
        "mclust 6.0.0 (other copies differ in some values). "
        "Reaven, G. M. and Miller, R. G. (1979), An attempt to define the nature of chemical diabetes using a "
        "multidimensional analysis, Diabetologia 16, 17-24, doi:10.1007/BF00423145."
    ),
    "acidity": (
        "Log acidity index of 155 lakes in north-central Wisconsin. "
        "Crawford, S. L., DeGroot, M. H., Kadane, J. B. and Small, M. J. (1992), Modeling lake-chemistry "
        "distributions: approximate Bayesian methods for estimating a finite-mixture model, "
        "Technometrics 34, 441-453, doi:10.1080/00401706.1992.10484955."
    ),
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that comes with the package.

    Parameters
    ----------
    X : (n, d) array of float64
        The measurements, in the units that `source` gives.
    feature_names : tuple of str
        The d column names.
    labels : (n,) array of str, or None
        The known groups, where there are any.  No method sees them.
    source : str
        What was measured, whose copy it is, and the reference.
    """

    X: np.ndarray
    feature_names: tuple[str, ...]
    labels: np.ndarray | None
    source: str


def load_dataset(name: str) -> Dataset:
    """Load one of the data sets faithful, iris, galaxies, diabetes and acidity.

    Parameters
    ----------
    name : str

    Returns
    -------
    Dataset

    Raises
    ------
    ArgumentError
        There is no data set of that name.
    """
    if name not in _SOURCES:
        raise ArgumentError(f"There is no data set {name!r}: choose one of {', '.join(_SOURCES)}.")
    text = (files(__name__) / f"{name}.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    features = [j for j, column in enumerate(header) if column != "label"]
    return Dataset(
        X=np.array([[float(row[j]) for j in features] for row in rows]),
        feature_names=tuple(header[j] for j in features),
        labels=np.array([row[header.index("label")] for row in rows]) if "label" in header else None,
        source=_SOURCES[name],
    )
