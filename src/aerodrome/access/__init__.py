"""Users, roles, API tokens, sessions, one-time login links, audit."""
