"""Commands of the repository, and the programs behind them."""
