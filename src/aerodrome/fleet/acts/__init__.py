"""Acts on a deployment that stop its Airflow for a while: a move to another database, a restore of a backup.

Each is a row and a journal of small steps; it goes on after a kill at any line, and takes itself back when a step fails.
"""

from aerodrome.fleet.acts.queries import is_held, view, views
from aerodrome.fleet.acts.walk import KIND, Acts, queue

__all__ = ["KIND", "Acts", "is_held", "queue", "view", "views"]
