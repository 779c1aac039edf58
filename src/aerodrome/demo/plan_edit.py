"""What a person does to the proposed plan in the demo: choose the first wave and the Python version, keep the comments."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from aerodrome.kernel.errors import Invalid


def choose_first_wave(text: str, dag_ids: Sequence[str], name: str = "first") -> str:
    """Give the plan's text with these DAGs in a wave of their own before all others; emptied waves go."""
    waves = yaml.safe_load(text)["waves"]
    known = {dag_id for wave in waves for dag_id in wave["dags"]}
    if missing := [dag_id for dag_id in dag_ids if dag_id not in known]:
        raise Invalid(f"The plan has no DAG {missing[0]}.", code="demo-plan-unknown-dag")
    rest = [{**wave, "dags": [dag_id for dag_id in wave["dags"] if dag_id not in dag_ids]} for wave in waves]
    levels = [wave["criticality"] for wave in waves if set(wave["dags"]) & set(dag_ids)]
    chosen = {"name": name, "criticality": levels[-1], "dags": list(dag_ids)}
    new = [chosen, *(wave for wave in rest if wave["dags"])]
    block = yaml.safe_dump({"waves": new}, sort_keys=False, allow_unicode=True)
    return re.sub(
        r"^waves:.*?(?=^[^\s-]|^\s*$|\Z)", lambda _match: block, text, count=1, flags=re.MULTILINE | re.DOTALL
    )


def choose_python(text: str, version: str) -> str:
    """Give the plan's text with this Python version for the target."""
    return re.sub(r'^(  python: )("?)[0-9.]+("?)', rf'\g<1>"{version}"', text, count=1, flags=re.MULTILINE)
