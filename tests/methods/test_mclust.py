"""EM with several starts reaches mclust's maximised likelihoods, and BIC and ICL are mclust's at equal optima."""

import numpy as np
import pandas as pd
import pytest

import bayesgmm as bg
from bayesgmm.families.named import FOURTEEN

QUICK = {
    ("faithful", "VVV"), ("faithful", "VEV"), ("faithful", "EVE"), ("faithful", "EVI"), ("faithful", "VEE"),
    ("diabetes", "EEE"), ("diabetes", "EEI"), ("diabetes", "VEI"), ("diabetes", "VVE"), ("diabetes", "EEV"),
    ("diabetes", "EVV"), ("galaxies", "E"), ("galaxies", "V"), ("acidity", "V"),
}  # fmt: skip


def cells():
    for name, models in (("faithful", FOURTEEN), ("diabetes", FOURTEEN), ("galaxies", "EV"), ("acidity", "EV")):
        for model in models:
            for k in (1, 2, 3, 4):
                is_quick = (name, model) in QUICK and k in (2, 3)
                yield pytest.param(name, model, k, marks=[] if is_quick else [pytest.mark.slow])


@pytest.mark.parametrize(("name", "model", "k"), list(cells()))
@pytest.mark.few(8)
def test_reaches_mclust(reference, name, model, k):
    table = pd.read_csv(reference / "mclust.csv")
    row = table.query(f"dataset == '{name}' and model == '{model}' and G == {k}").iloc[0]
    X = bg.load_dataset(name).X
    fit = bg.fit(bg.GaussianMixture(k, model), X, bg.EM(), rng=0)
    assert fit.status.is_converged and not fit.diagnostics.flags  # nor would any of mclust's optima be flagged
    assert fit.log_likelihood >= row.loglik - 1e-6 * abs(row.loglik)
    assert fit.n_parameters == row.df
    if fit.log_likelihood > row.loglik + 1e-6 * abs(row.loglik):
        return  # mclust stopped at a lower optimum: its BIC and ICL are of another mixture
    fit = bg.fit(fit.model, X, bg.EM(init=fit.params, tol=None, param_tol=1e-9, max_iter=50000), rng=0)
    bic = 2 * fit.log_likelihood - fit.n_parameters * np.log(len(X))  # mclust's sign: higher is better
    assert np.isclose(bic, row.bic, rtol=1e-7)
    icl = bic + 2 * np.log(fit.responsibilities(X).max(1)).sum()
    # The likelihood is flat at its optimum and ICL is not: mclust's tolerance of 1e-10 leaves sqrt(1e-10) of it.
    assert np.isclose(icl, row.icl, rtol=1e-4)
