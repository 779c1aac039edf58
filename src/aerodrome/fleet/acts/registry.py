"""All kinds of acts by name."""

from __future__ import annotations

from aerodrome.fleet.acts.copying import BRING_BACK, CLONE
from aerodrome.fleet.acts.moving import MOVE
from aerodrome.fleet.acts.restoring import RESTORE

KINDS = {"move": MOVE, "restore": RESTORE, "clone": CLONE, "bring-back": BRING_BACK}
