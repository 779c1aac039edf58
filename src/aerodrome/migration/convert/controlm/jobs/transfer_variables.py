"""Managed file transfers of XML exports: their `%%FTP-` variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aerodrome.migration.convert.controlm.jobs.transfer_ends import Transfer, is_on, limit_of, side_of

_DIRECTIONS: Final = {  # of FTP-UPLOADn: is it from left to right, does it watch first
    "0": (False, False),
    "1": (True, False),
    "2": (False, True),
    "3": (True, True),
}
# what FTP-…n variables of XML exports say besides paths: told by the transfer itself, or how it is written into the log
_PLAIN_VARIABLES: Final = (
    *("LPATH", "RPATH", "UPLOAD", "TYPE", "SRCOPT", "TIMELIMIT", "TIMELIMIT_UNIT", "TRIM", "CASEIFS", "NULLFLDS"),
    *("VERNUM", "ABSTIME", "CONNTYPE", "LOSTYPE", "ROSTYPE", "HOMEDIR", "SRC_PATTERN"),
    *("PGP_ENABLE", "PGP_TEMPLATE_NAME", "PREPARAM1", "PREPARAM2", "POSTCMD1", "POSTCMD2"),
)
_CHANGING_VARIABLES: Final = (
    *("RECURSIVE", "EXCLUDE", "DSTOPT", "UNIQUE", "NEWNAME", "IF_EXIST", "INCREMENTAL", "SYNC_DIR", "ARCHIVE"),
    *("PRECOMM", "POSTCOMM", "PRECMD"),
)
_OF_JOB: Final = (
    *("ACCOUNT", "LHOST", "RHOST", "LUSER", "RUSER", "CONNTYPE1", "CONNTYPE2", "LOSTYPE", "ROSTYPE", "TRANSFER_NUM"),
    *("USE_DEF_NUMRETRIES", "NUM_RETRIES", "AUTOREFRESH", "RPF", "OSTYPE1", "OSTYPE2", "ABSTIME"),
)  # variables of a whole transfer job that are told elsewhere, or change nothing


def transfer_of(names: Mapping[str, str], number: int) -> Transfer | str:
    """Give one transfer of a job, or a sentence that says why it cannot be converted. `names`: its variables in capitals."""

    def of(key: str) -> str:
        return names.get(f"FTP-{key}", "") or names.get(f"FTP-{key}{number}", "")

    kinds = of("CONNTYPE1").upper(), of("CONNTYPE2").upper()
    local = side_of(
        kinds[0] or "FILE SYSTEM", names.get(f"FTP-LPATH{number}", ""), of("ACCOUNT"), "", of("LHOST"), of("LUSER"), "1"
    )
    remote = side_of(kinds[1], names.get(f"FTP-RPATH{number}", ""), of("ACCOUNT"), "", of("RHOST"), of("RUSER"), "2")
    if local is None or remote is None:
        return f"The connection type {kinds[0] if local is None else kinds[1]} is not converted."
    if not local.path or not remote.path:
        return "A transfer lacks its source or its destination."
    option = names.get(f"FTP-UPLOAD{number}", "1").strip() or "1"
    if option not in _DIRECTIONS:
        return f"The transfer direction {option} (watch only, or directory listing) is not converted."
    is_to_right, is_watching = _DIRECTIONS[option]
    if any(
        names.get(f"FTP-{key}{number}", "0") not in ("", "0")
        for key in ("PREPARAM1", "PREPARAM2", "POSTCMD1", "POSTCMD2")
    ):
        return "Commands before or after the transfer are not converted."
    source_option = names.get(f"FTP-SRCOPT{number}", "0")
    if source_option not in ("", "0", "1"):
        return f"The source option {source_option} of a transfer is not converted."
    given = {
        key[4 : -len(str(number))]: value
        for key, value in names.items()
        if key.startswith("FTP-") and key.endswith(str(number)) and is_on(value)
    }
    template = given.get("PGP_TEMPLATE_NAME", "") if given.get("PGP_ENABLE", "N").upper() in ("1", "Y", "TRUE") else ""
    if "PGP_ENABLE" in given and not template:
        return "PGP_ENABLE of a transfer names no template."
    given = {key: value for key, value in given.items() if key not in _PLAIN_VARIABLES}
    if changing := [key for key in given if any(word in key for word in _CHANGING_VARIABLES)]:
        return f"{', '.join(f'{key} {given[key]}' for key in changing)} of a transfer is not converted."
    source, target = (local, remote) if is_to_right else (remote, local)
    notes = ["Its files are copied byte by byte."] if names.get(f"FTP-TYPE{number}", "I").upper() == "A" else []
    notes += [f"The transfer option {key} has no effect." for key in given]
    of_job = [
        key.removeprefix("FTP-") for key, value in names.items() if re.fullmatch(r"FTP-\w*\D", key) and is_on(value)
    ]
    notes += [f"The transfer option {key} has no effect." for key in of_job if key not in _OF_JOB]
    if of("USE_DEF_NUMRETRIES") == "1" or of("NUM_RETRIES") not in ("", "0"):
        notes.append(
            "Control-M repeats a transfer that breaks off; here the task fails, and its retries are those of its ON blocks."
        )
    waits = limit_of(names.get(f"FTP-TIMELIMIT{number}"), names.get(f"FTP-TIMELIMIT_UNIT{number}", ""))
    if is_watching and is_on(names.get(f"FTP-ABSTIME{number}")):
        notes.append("It watches until a time of day (ABSTIME), which is not converted.")
        waits = None
    if isinstance(waits, str) and is_watching:
        return waits
    return Transfer(
        source,
        target,
        is_watching,
        is_moving=source_option == "1",
        waits=None if isinstance(waits, str) else waits,
        notes=tuple(notes),
        pgp=template,
    )
