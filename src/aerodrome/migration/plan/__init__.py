"""An editable plan compiled to a frozen, digested list of small steps."""
