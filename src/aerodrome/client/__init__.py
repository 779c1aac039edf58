"""The typed REST client that the CLI stands on."""
