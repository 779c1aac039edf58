"""Backup of the platform's own state into one encrypted file, and the way back: database, keys, bundles, migrations."""
