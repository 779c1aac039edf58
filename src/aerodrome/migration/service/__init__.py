"""Commands and reads of migrations; the journal that walks a plan's steps."""
