"""Which Airflow versions have which schema: alembic heads as in `airflow/utils/db.py` of 2.11.2 and 3.3.2.

Those of 1.10 are the heads of `airflow/migrations/versions` in the wheels of 1.10.10 to 1.10.15.
"""

from __future__ import annotations

from aerodrome.airflowkit.metadata import MetadataDatabase

HEADS = {
    "952da73b5eff": ("1.10.10", "1.10.10"), "a66efa278eea": ("1.10.11", "1.10.11"), "da3f683c3a5a": ("1.10.12", "1.10.12"),
    "03afc6b6f902": ("1.10.13", "1.10.15"),
    "e959f08ac86c": ("2.0.0", "2.0.0"), "82b7c48c147f": ("2.0.1", "2.0.1"), "2e42bb497a22": ("2.0.2", "2.0.2"),
    "a13f7613ad25": ("2.1.0", "2.1.2"), "97cdd93827b8": ("2.1.3", "2.1.3"), "ccde3e26fe78": ("2.1.4", "2.1.4"),
    "7b2661a43ba3": ("2.2.0", "2.2.2"), "be2bfac3da23": ("2.2.3", "2.2.3"), "587bdf053233": ("2.2.4", "2.2.5"),
    "b1b348e02d07": ("2.3.0", "2.3.0"), "1de7bc13c950": ("2.3.1", "2.3.1"), "3c94c427fdf6": ("2.3.2", "2.3.2"),
    "f5fcbda3e651": ("2.3.3", "2.3.4"), "ecb43d2a1842": ("2.4.0", "2.4.1"), "b0d31815b5a6": ("2.4.2", "2.4.2"),
    "e07f49787c9d": ("2.4.3", "2.4.3"), "290244fb8b83": ("2.5.0", "2.5.3"), "98ae134e6fff": ("2.6.0", "2.6.1"),
    "c804e5c76e3e": ("2.6.2", "2.6.3"), "4bc4d934e2bc": ("2.6.2", "2.6.3"), "405de8318b3a": ("2.7.0", "2.7.3"),
    "10b52ebd31f7": ("2.8.0", "2.8.0"), "88344c1d9134": ("2.8.1", "2.8.4"), "1949afb29106": ("2.9.0", "2.9.1"),
    "686269002441": ("2.9.2", "2.9.3"), "22ed7efa9da2": ("2.10.0", "2.10.2"), "5f2621c13b39": ("2.10.3", "2.11.2"),
    "29ce7909c52b": ("3.0.0", "3.0.2"), "fe199e1abd77": ("3.0.3", "3.0.6"), "cc92b33c6709": ("3.1.0", "3.1.7"),
    "509b94a1042d": ("3.1.8", "3.1.8"), "1d6611b6ab7c": ("3.2.0", "3.2.2"), "d2f4e1b3c5a7": ("3.3.0", "3.3.2"),
}  # fmt: skip
"""Head -> first and last version with it. The last ones are the newest known; later patches may share a head."""


def key(version: str) -> tuple[int, ...]:
    """Give a version as comparable numbers; what is not a number counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def version_of(revision: str, claimed: str | None) -> tuple[str | None, str]:
    """Give the Airflow version and how it is known.

    The schema narrows it to a range; a version claimed elsewhere (requirements, environment) is believed when it has
    the same major.minor range. None when the revision is unknown and nothing is claimed.
    """
    known = HEADS.get(revision)
    if known is None:
        return claimed, f"the schema revision {revision or '(none)'} is unknown"
    first, last = known
    if claimed and key(first) <= key(claimed)[:3] and key(claimed)[:2] <= key(last)[:2]:
        return claimed, f"schema {revision} and the source's requirements or environment agree"
    span = first if first == last else f"{first} to {last}"
    return last, f"schema {revision} belongs to {span}"


def oldest_with(database: MetadataDatabase) -> str:
    """Give the minor version in which a schema of an unknown revision began, by what it has: "2.2" means 2.2 or newer."""
    for version, table, column in _BEGINNINGS:
        if database.has(table, column):
            return version
    return "1.10"


_BEGINNINGS = (
    ("3.0", "dag_run", "logical_date"),
    ("2.10", "task_instance_history", None),
    ("2.3", "task_instance", "map_index"),
    ("2.2", "dag_run", "data_interval_start"),
    ("2.0", "dag_run", "run_type"),
)
