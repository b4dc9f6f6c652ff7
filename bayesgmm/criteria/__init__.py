"""The criteria: each a function of a fit and the data that returns a `Score`, and says what it estimates."""
