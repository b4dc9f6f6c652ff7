"""Random variables of a `pm.Model` that are in the data's units, and are sampled in coordinates of the mixture's own.

The law of such a variable is written down once, as a log density of its coordinates.  So what PyMC records is what it
means (weights, means, covariances), whatever the coordinates are; and a sampler sees the log density of the
coordinates, without the way through the variable, on which small weights leave the range of float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transform_value import TransformedValue
from pymc.logprob.transforms import Transform


class Coordinates(Protocol):
    """A map between coordinates without bounds and a variable, and the law of the coordinates.

    `parameters` are those of the variable's law, on which the map does not depend.
    """

    name: str

    def value(self, x: pt.TensorVariable) -> pt.TensorVariable:
        """The variable at coordinates x."""
        ...

    def coordinates(self, value: pt.TensorVariable) -> pt.TensorVariable:
        """The inverse."""
        ...

    def log_jacobian(self, x: pt.TensorVariable) -> pt.TensorVariable:
        """Log of the absolute determinant of `value`'s derivative."""
        ...

    def log_density(self, x: pt.TensorVariable, *parameters: pt.TensorVariable) -> pt.TensorVariable:
        """Of the coordinates, with every constant."""
        ...

    def draw(self, *parameters: pt.TensorVariable) -> pt.TensorVariable:
        """The variable as a draw from its law."""
        ...


@dataclass(frozen=True, eq=False)
class ByCoordinates(Transform):
    """PyMC's form of the map."""

    map: Coordinates

    @property
    def name(self) -> str:
        return self.map.name

    def forward(self, value, *inputs):
        return self.map.coordinates(value)

    def backward(self, value, *inputs):
        return self.map.value(value)

    def log_jac_det(self, value, *inputs):
        return self.map.log_jacobian(value)


def natural(
    name: str, coordinates: Coordinates, parameters: tuple[Any, ...], shape: tuple[int, ...], dims: tuple[str, ...]
) -> pt.TensorVariable:
    """A free variable of the model that is being built."""

    def logp(value, *parameters):
        x = _coordinates_of(value, coordinates.coordinates)
        return coordinates.log_density(x, *parameters) - coordinates.log_jacobian(x)

    def dist(*parameters_and_size):
        return pt.specify_shape(coordinates.draw(*parameters_and_size[:-1]), shape)

    parameters = tuple(pt.as_tensor(parameter) for parameter in parameters)
    return pm.CustomDist(
        name, *parameters, dist=dist, logp=logp, transform=ByCoordinates(coordinates), dims=dims, ndim_supp=len(shape),
        ndims_params=[parameter.type.ndim for parameter in parameters],
    )  # fmt: skip


def _coordinates_of(value: pt.TensorVariable, invert: Callable[[pt.TensorVariable], pt.TensorVariable]):
    """The coordinates themselves where PyMC holds them beside the value, as it does for a sampler."""
    if value.owner is not None and isinstance(value.owner.op, TransformedValue):
        return value.owner.inputs[1]
    return invert(value)
