"""Is a sampler calibrated?  Simulation-based calibration and Geweke's test, for every model.

Both need draws from the prior, which are made here from the model's words with NumPy, and proper prior constants that
do not come from the data.
"""

import numpy as np
from scipy.stats import chi2, norm, wishart

import bayesgmm as bg
from bayesgmm.core.density import log_density, log_likelihoods, sample
from bayesgmm.core.facts import NO_FACTS, of_labels
from bayesgmm.core.matrices import precision_chol_of
from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.methods.chains.gibbs_chain import GibbsChain, independent_of, mixing_of
from bayesgmm.ppl.sample import Plan, run_nutpie
from bayesgmm.priors.concentration import Gamma
from bayesgmm.result.method import silent
from bayesgmm.rows import as_rows

LEVEL = 1e-4  # family-wise (DESIGN section 8)
N_BINS = 10
PLACE = np.array([[0.5, 0.5]])  # where the density is looked at
MODELS = ("finite", "DP", "MFM")


def proper_model(name, structure="full", n_obs=8, prior=None):
    """A resolved model with three components at most and proper priors."""
    scale = np.array([[1.0, 0.8], [0.8, 1.0]]) if structure in ("full", "tied") else 1.0
    if prior is None:
        prior = bg.NormalInverseWishart(mean=[0.0, 1.0], mean_precision=0.5, dof=8.0, scale=scale)
    if name == "finite":
        model = bg.GaussianMixture(3, structure, bg.Dirichlet(1.5), prior)
    elif name == "DP":
        model = bg.DirichletProcessMixture(3, structure, Gamma(3.0, 2.0), prior)
    else:
        model = bg.MixtureOfFiniteMixtures(3, structure, bg.Dirichlet(1.5), bg.Uniform(), prior)
    return model.resolve(as_rows(np.random.default_rng(0).standard_normal((n_obs, 2))))


def prior_draws(model, rng, n_draws):
    """(n_draws,) mixtures, and the concentration or the number of components of each (zero where it is known)."""
    k = model.n_components
    if isinstance(model.prior, bg.NormalInverseWishart):
        means, factor = model.prior.conjugate(model.covariance, k).sample(rng, n_draws)
    else:
        means, factor = _independent_draws(model, rng, n_draws)
    if isinstance(model, bg.DirichletProcessMixture):
        state = rng.gamma(model.concentration.shape, 1.0 / model.concentration.rate, n_draws)
        sticks = rng.beta(1.0, state[:, None], (n_draws, k))
        sticks[:, -1] = 1.0
        left = np.cumprod(np.column_stack([np.ones(n_draws), 1.0 - sticks[:, :-1]]), axis=1)
        weights = sticks * left
    elif isinstance(model, bg.MixtureOfFiniteMixtures):
        probabilities = np.exp(model.components_prior.log_probability(k))
        state = rng.choice(k, n_draws, p=probabilities) + 1.0
        parts = rng.gamma(float(model.weights.concentration), size=(n_draws, k)) * (np.arange(k) < state[:, None])
        weights = parts / parts.sum(1, keepdims=True)
    else:
        state, weights = np.zeros(n_draws), rng.dirichlet(model.weights.concentration, n_draws)
    return MixtureParams.trusted(weights, means, factor), state


def _independent_draws(model, rng, n_draws):
    """Means, and factors of covariances of which all have one scale."""
    prior, structure, k = model.prior, model.covariance, model.n_components
    shape, rate = prior.scale.shape, np.asarray(prior.scale.rate)
    rows, is_diagonal = structure.compact_shape(k, 2)[0], structure.is_diagonal
    noise = rng.standard_normal((n_draws, k, 2))
    if is_diagonal:
        scale = rng.gamma(shape, 1.0 / rate, (n_draws, *rate.shape))
        precision = rng.chisquare(prior.dof, (n_draws, rows, *rate.shape)) / scale[:, None]
        return prior.mean + noise * np.sqrt(prior.mean_covariance), np.array(
            np.broadcast_to(np.sqrt(precision), (n_draws, k, 2))
        )
    scale = wishart(2.0 * shape, np.linalg.inv(2.0 * rate)).rvs(n_draws, random_state=rng).reshape(n_draws, 2, 2)
    white = wishart(prior.dof, np.eye(2)).rvs(n_draws * rows, random_state=rng).reshape(n_draws, rows, 2, 2)
    inverse_root = np.linalg.inv(np.linalg.cholesky(scale))[:, None]
    covariance = np.linalg.inv(np.swapaxes(inverse_root, -1, -2) @ white @ inverse_root)
    factor = np.array(np.broadcast_to(precision_chol_of(covariance), (n_draws, k, 2, 2)))
    return prior.mean + noise @ np.linalg.cholesky(prior.mean_covariance).T, factor


def chain_of(model, rng, rows, first, state, draws, tune, thin, crossing):
    """The sampler's own chain, from a given mixture."""
    mixing = mixing_of(model, len(rows))
    if mixing.kind:
        mixing.state[0] = state
    prior = model.conjugate(state) if isinstance(model, bg.DirichletProcessMixture) else model.conjugate()
    return GibbsChain(rng, rows, prior, first, draws, tune, thin, crossing, mixing, independent_of(model))


def invariants(params, state):
    """Label-invariant functions of (draws,) mixtures, and the law's own unknown."""
    moment = (params.weights[..., None] * params.means).sum(-2)[..., 0]
    diagonal = params.precision_chol if params.is_diagonal else np.diagonal(params.precision_chol, axis1=-2, axis2=-1)
    log_dets = np.log(diagonal).sum(-1)
    return np.stack(
        [(params.weights**2).sum(-1), moment, moment**2, (params.weights * log_dets).sum(-1),
         params.weights.max(-1), log_density(params, PLACE)[..., 0], state], -1,
    )  # fmt: skip


def of_components(params):
    """Functions of (draws,) mixtures whose components labels tell apart."""
    return np.concatenate([params.weights, params.means[..., 0]], -1)


def occupied_by(params, rows, rng):
    """How many components hold a point, of labels drawn given the parameters."""
    resp = rows.responsibilities(params.scores())
    return len({int(rng.choice(len(row), p=row)) for row in resp})


def gibbs_draws(model, rows, first, state, rng, crossing=0.3):
    """60 mixtures given the data, by Gibbs, with its own account of each: the unknown, log likelihood, occupied."""
    chain = chain_of(model, rng, rows, first, max(state, 1.0), 60, 20, 15, crossing)
    chain.advance(20)
    chain.advance(60)
    trace = chain.trace
    return (
        MixtureParams.trusted(*trace[:3]),
        trace.state,
        trace.log_likelihood - 0.5 * rows.values.size * LOG_2PI,
        trace.n_occupied,
    )


def nuts_draws(model, rows, first, state, rng, thin=8):
    """As `gibbs_draws`, by the no-U-turn sampler."""
    plan = Plan(60 * thin, 300, 1, 0.9, 10, int(rng.integers(2**32)))
    ((chain,), _) = run_nutpie(model, rows, lambda c, generator: first, plan, silent)
    draws = chain.params[thin - 1 :: thin]
    states = chain.stats["concentration"][thin - 1 :: thin] if "concentration" in chain.stats else np.zeros(60)
    n_occupied = np.array([occupied_by(draws[t], rows, rng) for t in range(60)])
    return draws, states, log_likelihoods(draws, rows.values, rows.facts), n_occupied


def simulated_ranks(model, n_replicates, n_obs=20, seed=1, draws_of=gibbs_draws, n_labelled=0):
    """(n_replicates, quantities) ranks in [0, 1] of what drew the data among draws given the data.

    Of some of the points the component is known too, and then components are looked at one by one.

    Uniform where the sampler is right; ties are broken at random.  Talts et al. (2018), arXiv:1804.06788; Modrak et
    al. (2025), Bayesian Analysis 20, 461-488, doi:10.1214/23-BA1404: the likelihood among the quantities.
    """
    rng, ranks = np.random.default_rng(seed), []
    truths, states = prior_draws(model, rng, n_replicates)
    firsts, _ = prior_draws(model, rng, n_replicates)
    for r in range(n_replicates):
        X, labels = sample(truths[r], n_obs, rng)
        labels[n_labelled:] = -1
        facts = of_labels(labels, model.n_components) if n_labelled else NO_FACTS
        rows = as_rows(np.ascontiguousarray(X), facts)
        draws, unknown, likelihood, n_occupied = draws_of(model, rows, firsts[r], states[r], rng)
        ours = np.column_stack([invariants(draws, unknown), likelihood, n_occupied])
        truth = np.append(
            invariants(truths[r], states[r]),
            [log_likelihoods(truths[r], rows.values, facts), occupied_by(truths[r], rows, rng)],
        )
        if n_labelled:
            ours = np.column_stack([ours, of_components(draws)])
            truth = np.append(truth, of_components(truths[r]))
        # A likelihood is computed in two ways, which agree but for rounding.
        near = np.isclose(ours, truth, rtol=1e-9, atol=0.0)
        below = ((ours < truth) & ~near).sum(0)
        ranks.append((below + rng.random(len(truth)) * (near.sum(0) + 1.0)) / (len(ours) + 1.0))
    return np.array(ranks)


def is_uniform(ranks):
    """Whether no quantity's ranks are further from uniform, in their mean or their histogram, than chance allows."""
    n, p_values = len(ranks), []
    for column in ranks.T:
        counts = np.histogram(column, N_BINS, (0.0, 1.0))[0]
        p_values.append(chi2(N_BINS - 1).sf(((counts - n / N_BINS) ** 2).sum() / (n / N_BINS)))
        p_values.append(2.0 * norm.sf(abs(column.mean() - 0.5) * np.sqrt(12.0 * n)))
    return min(p_values) * len(p_values) > LEVEL


def joint_scores(model, n_cycles, n_obs=8, seed=11):
    """z of each invariant's mean, of parameters and data drawn in turn against draws of the prior.

    With the smallest effective number of draws, and what crossing moves, one in every sweep, were tried and accepted.
    Geweke (2004), JASA 99, 799-804, doi:10.1198/016214504000001132.
    """
    rng = np.random.default_rng(seed)
    firsts, states = prior_draws(model, rng, 1)
    chain = chain_of(model, rng, as_rows(np.zeros((n_obs, 2))), firsts[0], max(states[0], 1.0), 4, n_cycles, 2, 1.0)
    names = MixtureParams.__slots__
    seen = {name: np.empty((n_cycles, *getattr(firsts, name).shape[1:])) for name in names}
    unknown = np.empty(n_cycles)
    for cycle in range(n_cycles):
        present = MixtureParams.trusted(chain.params.weights, chain.params.means, chain.params.factors)
        for name in names:
            seen[name][cycle] = getattr(present, name)
        unknown[cycle] = chain.mixing.state[0]
        total = present.weights.sum()  # one, or the fault that is looked for
        mixture = bg.MixtureParams.trusted(present.weights / total, *chain.params[2:])
        chain.rows.values[:] = sample(mixture, n_obs, rng)[0]
        chain.advance(1)
    ours = invariants(MixtureParams.trusted(*(seen[name] for name in names)), unknown)
    return *scores_against_prior(model, ours, rng), chain.counters


def nuts_joint_scores(model, n_cycles, n_obs=3, seed=12):
    """As `joint_scores`; a step given the data is a whole run of the sampler, which tunes itself anew."""
    rng = np.random.default_rng(seed)
    params, state = prior_draws(model, rng, 1)
    ours = []
    for _ in range(n_cycles):
        X = np.ascontiguousarray(sample(params[-1], n_obs, rng)[0])
        params, state, *_ = nuts_draws(model, as_rows(X), params[-1], state[-1], rng, thin=1)
        ours.append(invariants(params, state)[-1])
    return scores_against_prior(model, np.array(ours), rng)


def scores_against_prior(model, ours, rng):
    """z of the mean of each of (cycles, quantities), and the smallest effective number of cycles."""
    from arviz_stats.base import array_stats

    expected = invariants(*prior_draws(model, rng, 200_000))
    scores, effective = [], []
    for values, theirs in zip(ours.T, expected.T, strict=True):
        if theirs.std() == 0:
            continue
        effective.append(array_stats.ess(values[None], chain_axis=0, draw_axis=1, method="mean"))
        error = array_stats.mcse(values[None], chain_axis=0, draw_axis=1, method="mean")
        error = np.hypot(error, theirs.std() / np.sqrt(len(theirs)))
        scores.append((values.mean() - theirs.mean()) / error)
    return np.array(scores), min(effective)
