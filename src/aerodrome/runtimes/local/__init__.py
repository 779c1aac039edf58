"""The local runtime: one supervising shim process per deployment, outliving the server.

Import `LocalRuntime` from `aerodrome.runtimes.local.runtime`. This file stays empty: the shim imports the package and must stay
small.
"""
