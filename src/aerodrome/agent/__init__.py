"""The process on the customer's side."""
