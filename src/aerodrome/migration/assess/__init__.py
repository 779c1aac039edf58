"""Estate in, findings out: pure checks and the reports drawn from them."""
