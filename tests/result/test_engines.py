"""The engines' table: every method has a colour of its own, and unknown numbers of components a marker."""

import inspect

import bayesgmm as bg
from bayesgmm.methods.chains.stacking import ChainStack
from bayesgmm.methods.foreign.imported import Imported
from bayesgmm.result.engines import COLOURS, MARKERS, colour_of, marker_of, place_of
from bayesgmm.result.stacking import Stacking


def test_every_method_has_a_colour_of_its_own():
    public = {name for name in bg.__all__ if inspect.isclass(getattr(bg, name)) and hasattr(getattr(bg, name), "run")}
    assert public | {one.__name__ for one in (Imported, ChainStack, Stacking)} == set(COLOURS) - {"k-means"}
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert colour_of("another program") not in COLOURS.values()
    assert [place_of(method) for method in (*COLOURS, "another program")] == list(range(len(COLOURS) + 1))


def test_an_unknown_number_of_components_has_a_marker_of_its_own():
    for model in (bg.DirichletProcessMixture(5), bg.MixtureOfFiniteMixtures(5)):
        assert marker_of(model.label, "o") in MARKERS.values()
    assert len(set(MARKERS.values())) == len(MARKERS) and marker_of("", "o") == "o"
