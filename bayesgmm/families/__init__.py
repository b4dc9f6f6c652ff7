"""What a component is: the Gaussian covariance structures, and what every family of components must say."""
