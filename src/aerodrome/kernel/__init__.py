"""Words without I/O that every room may use: ids, clock, errors, secrets, digests, state machines."""
