"""Proof that nothing runs in the source any more, and the evidence bundle."""
