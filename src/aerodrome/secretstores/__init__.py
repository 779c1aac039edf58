"""Where secret values live: adapters behind one contract; the local encrypted store is the default."""
