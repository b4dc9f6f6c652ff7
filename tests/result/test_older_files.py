"""Fits that an earlier version saved load, and answer what they answered then.

The files in `saved/` were written before rows and families; their numbers are of that version.  A density is computed
anew from the parameters in the file, so it may differ by rounding.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesgmm as bg

SAVED = Path(__file__).parent / "saved"
DENSITIES = {
    "em_tied": [-3.3011662687188768, -3.995787858974321, -4.835631056463517, -3.3306976066023233],
    "vb_process_diagonal": [-2.5818636332246307, -3.1905833853846053, -3.2571727945692923, -2.616229905019527],
    "gibbs_unknown_number": [-3.3737777557280717, -3.8829991803153865, -4.314252377907188, -3.3920172368098074],
}
BEGINNINGS = {
    "em_tied": "Converged after 2 iterations.",
    "vb_process_diagonal": "Converged after 34 iterations.",
    "gibbs_unknown_number": "The chains disagree: R-hat of log_density[row 32] is 1.107",
}
MODELS = {
    "em_tied": bg.GaussianMixture(2, "tied"),
    "vb_process_diagonal": bg.DirichletProcessMixture(3, "diagonal"),
    "gibbs_unknown_number": bg.MixtureOfFiniteMixtures(4),
}
METHODS = {
    "em_tied": bg.EM(),
    "vb_process_diagonal": bg.VB(),
    "gibbs_unknown_number": bg.Gibbs(draws=10, tune=20, chains=2),
}


def two_groups() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    height = np.r_[rng.normal(0, 1, 30), rng.normal(6, 1, 30)]
    return pd.DataFrame({"height": height, "mass": np.r_[rng.normal(20, 2, 30), rng.normal(30, 2, 30)]}).round(2)


@pytest.mark.parametrize("name", DENSITIES)
def test_an_older_file_answers_as_it_did(name):
    fit = bg.load(SAVED / f"{name}.nc")
    X = two_groups()[list(fit.feature_names)]
    assert np.array_equal(fit.X, X)
    assert np.allclose(fit.log_density(X[:4]), DENSITIES[name], rtol=1e-12)
    assert fit.status.sentence.startswith(BEGINNINGS[name])
    assert fit.method == METHODS[name] and type(fit.model) is type(MODELS[name])
    assert fit.model.covariance == MODELS[name].covariance


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.NotConvergedWarning")
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.TruncationWarning")
@pytest.mark.few(1)
def test_an_older_file_goes_on(name, tmp_path):
    """It is saved anew, refitted, and its chains are extended."""
    fit = bg.load(SAVED / f"{name}.nc")
    fit.save(tmp_path / "again.nc")
    assert np.array_equal(bg.load(tmp_path / "again.nc").log_density(fit.X), fit.log_density(fit.X))
    assert fit.refit(fit.X).n_obs == fit.n_obs
    if fit.kind == "draws":
        assert fit.extend(5).params.draw_shape == (2, 15)
