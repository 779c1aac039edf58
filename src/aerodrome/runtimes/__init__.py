"""Make a RuntimeSpec true and tell what is true. No database, no settings, no callbacks."""
