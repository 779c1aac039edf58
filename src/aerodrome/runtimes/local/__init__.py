"""The local runtime: one supervising shim process per deployment, outliving the server."""
