"""Details of the first AWS plug-in (Control-M for AWS, 9.0.19 exports): one set of variables for three services, with the names of all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert.controlm.definitions.texts import plain_lines

_PREFIX: Final = "AWS-"
_SERVICES: Final = {"step-functions": "STEP_", "lambda": "LAMBDA_", "aws-batch": "BATCH_"}
_NAMES: Final = {  # as the Automation API names the same details
    "STEP_NAME": "StateMachine",
    "STEP_EXECUTION_NAME": "ExecutionName",
    "LAMBDA_FUNCTION_NAME": "FunctionName",
    "LAMBDA_VERSION": "Version",
    "BATCH_JOB_NAME": "JobName",
    "BATCH_JOB_DEFINITION": "JobDefinition",
    "BATCH_JOB_DEFINITION_REVISION": "JobDefinitionRevision",
    "BATCH_JOB_QUEUE": "JobQueue",
    "ACCOUNT": "ConnectionProfile",
}
_PAYLOADS: Final = {"STEP_": "Input", "LAMBDA_": "Payload"}
_PIECE: Final = re.compile(r"PAYLOAD_JSON-N(\d+)-VALUE\Z")


def service_details(details: Mapping[str, str], kind: str) -> dict[str, str]:
    """Give the details of the service that the job uses, under the names that the Automation API has for them; defaults of the others go."""
    own = _SERVICES.get(kind)
    if own is None or not any(name.upper().startswith(_PREFIX) for name in details):
        return dict(details)
    found: dict[str, str] = {}
    pieces: dict[int, str] = {}
    for key, value in details.items():
        name = key.upper().removeprefix(_PREFIX)
        if not key.upper().startswith(_PREFIX):
            found[key] = value
        elif name.startswith(own) and (piece := _PIECE.search(name)):
            pieces[int(piece[1])] = value
        elif name in _NAMES:
            found[_NAMES[name]] = value
        elif name.startswith(own) and not name.endswith("_TYPE"):
            found[key] = value
    if pieces and own in _PAYLOADS:
        found[_PAYLOADS[own]] = plain_lines("".join(pieces[number] for number in sorted(pieces)))
    return found
