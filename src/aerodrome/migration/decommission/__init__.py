"""The end of a source: is it quiet, its last backup, what is to be removed, the runbook, and the signed evidence of it all.

Called by migration.service; `bundle.verify` also by the command line, offline. Nothing here switches anything off.
"""
