"""What Gibbs and NUTS share: starts, how chains are run, how many draws are enough, what came of them."""
