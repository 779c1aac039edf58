"""Oozie and Control-M as sources: what they hold is files of definitions; where they stand is said by people, or read from Oozie."""
