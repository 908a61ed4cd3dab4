"""A backtest as one HTML page that needs nothing else, and as JSON."""
