"""What CI leaves out: other versions of Airflow, other databases, large provider packages. `make test-matrix` runs it.

A test, or one of its parameters, that is marked `matrix` runs with AERODROME_MATRIX=1 only.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

IS_WIDE = bool(os.environ.get("AERODROME_MATRIX"))


def wide(*values: Any) -> list[Any]:
    """Give parameters that only the matrix runs; a tuple is one parameter."""
    return [pytest.param(value, marks=pytest.mark.matrix) for value in values]
