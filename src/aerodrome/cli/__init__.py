"""The aerodrome command, one file per noun."""
