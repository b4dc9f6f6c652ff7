"""The compiled Gibbs sampler: labels, parameters, the laws of the weights, and moves between modes."""
