"""Options of spark-submit that a Spark job gives, as arguments of its operator (apache-spark 6.3: SparkSubmitOperator)."""

from __future__ import annotations

import json
from typing import Final

from aerodrome.migration.convert.contract import Expression
from aerodrome.migration.convert.controlm.jobs.workbench import Workbench
from aerodrome.migration.convert.controlm.plugins.details import detail

_RENDERED: Final = {
    "--files": "files",
    "--py-files": "py_files",
    "--jars": "jars",
    "--packages": "packages",
    "--exclude-packages": "exclude_packages",
    "--driver-class-path": "driver_class_path",
    "--keytab": "keytab",
    "--principal": "principal",
    "--proxy-user": "proxy_user",
    "--name": "name",
    "--properties-file": "properties_file",
}
_PLAIN: Final = {
    "--driver-memory": "driver_memory",
    "--executor-memory": "executor_memory",
    "--archives": "archives",
    "--repositories": "repositories",
}
_NUMBERS: Final = {
    "--num-executors": "num_executors",
    "--executor-cores": "executor_cores",
    "--total-executor-cores": "total_executor_cores",
}


def spark_options(bench: Workbench, fixed: dict[str, Expression]) -> tuple[str, ...]:
    """Add the options to the arguments; those that the operator does not have are told by name. Give the details that were read."""
    text = detail(bench.job.details, ("sparkoptions",))
    try:
        listed = json.loads(text or "[]")
    except ValueError:
        return ()
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        return ()
    settings: dict[str, Expression] = {}
    left = []
    for option, value in ((str(key), str(value)) for item in listed for key, value in item.items()):
        name, _, set_to = value.partition("=")
        if option == "--conf" and set_to:
            settings[name] = bench.text(set_to)
        elif option in _RENDERED:
            fixed[_RENDERED[option]] = bench.text(value)
        elif option in _PLAIN:
            fixed[_PLAIN[option]] = bench.plain(_PLAIN[option], value)
        elif option in _NUMBERS and value.isdigit():
            fixed[_NUMBERS[option]] = int(value)
        else:
            left.append(option)
    if settings:
        fixed["conf"] = settings
    if left:
        names = ", ".join(left[:12])
        bench.note("plugin-details", f"Options of spark-submit that are not set: {names}. See the connection.")
    return ("sparkoptions",)
