"""`python -m aerodrome.cli` is the command `aerodrome`."""

from aerodrome.cli.main import main

main()
