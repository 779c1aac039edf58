"""`python -m aerodrome` is the command `aerodrome`."""

from aerodrome.cli.main import main

main()
