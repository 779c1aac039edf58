"""Managed file transfers: the `%%FTP-` variables of XML exports and the `FileTransfers` of JSON, as copies between two addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_SCHEMES: Final = {
    "": "sftp",
    "SFTP": "sftp",
    "SSH": "sftp",
    "S3": "s3",
    "AWS": "s3",
    "S3 COMPATIBLE": "s3",
    "GCS": "gs",
    "GOOGLE CLOUD STORAGE": "gs",
    "AZURE": "abfs",
    "AZURE STORAGE": "abfs",
    "FILE SYSTEM": "file",
    "LOCAL FILE SYSTEM": "file",
    "LOCAL": "file",
}


@dataclass(frozen=True)
class Side:
    scheme: str
    path: str
    profile: str = ""
    host: str = ""
    user: str = ""


@dataclass(frozen=True)
class Transfer:
    source: Side
    destination: Side
    is_watching: bool = False
    is_copying: bool = True
    is_moving: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Say whether it is one named file to one named file."""
        return not (self.is_moving or re.search(r"[*?]", self.source.path) or self.destination.path.endswith("/"))


def transfers_of(details: Mapping[str, str]) -> list[Transfer] | str:
    """Give the transfers of a job in their order, or a sentence that says why they cannot be converted."""
    if "FileTransfers" in details:
        try:
            listed = json.loads(details["FileTransfers"])
        except json.JSONDecodeError:
            return "Its file transfers cannot be read."
        return _from_json(details, [item for item in listed if isinstance(item, dict)]) or "It has no file transfers."
    names = {key.upper(): value for key, value in details.items()}
    numbers = sorted(int(found[1]) for key in names if (found := re.fullmatch(r"FTP-[LR]PATH(\d+)", key)))
    transfers: list[Transfer] = []
    for number in dict.fromkeys(numbers):
        item = _from_variables(names, number)
        if isinstance(item, str):
            return item
        transfers.append(item)
    return transfers or "It names no files."


def _from_json(details: Mapping[str, str], listed: list[dict[str, Any]]) -> list[Transfer] | str:
    names = {key.upper(): value for key, value in details.items()}
    both = details.get("ConnectionProfileDualEndpoint", "")
    found = []
    for item in listed:
        option = str(item.get("TransferOption", "SrcToDest"))
        kinds = names.get("FTP-CONNTYPE1", "").upper(), names.get("FTP-CONNTYPE2", "").upper()
        source = _side(
            kinds[0],
            str(item.get("Src", "")),
            details.get("ConnectionProfileSrc", both),
            details.get("S3BucketName", ""),
        )
        target = _side(
            kinds[1],
            str(item.get("Dest", "")),
            details.get("ConnectionProfileDest", both),
            details.get("S3BucketName", ""),
        )
        if source is None or target is None:
            return f"The connection type {kinds[0] if source is None else kinds[1]} is not converted."
        if option.startswith("DestToSrc"):
            source, target = target, source
        is_watching = "FileWatcher" in option
        is_copying = option != "FileWatcher"
        if not source.path or (is_copying and not target.path):
            return "A transfer lacks its source or its destination."
        commands = [
            key for key in ("PreCommandSrc", "PreCommandDest", "PostCommandSrc", "PostCommandDest") if item.get(key)
        ]
        if commands:
            return f"{', '.join(commands)} of a transfer are not converted."
        options = [key for key, value in item.items() if key not in _PLAIN_OPTIONS and _is_on(value)]
        changing = [
            key
            for key in options
            if any(word in key for word in ("Pgp", "Command", "Incremental", "Compress", "Archive"))
        ]
        if changing:
            return f"{', '.join(changing)} of a transfer is not converted."
        notes = [f"The transfer option {key} has no effect." for key in options]
        if not (kinds[0] and kinds[1]):
            notes.append("The definition does not say what its connections are: they are taken as SFTP.")
        source_option = str(item.get("SRCOPT", item.get("SrcOption", "0")))
        if source_option not in ("0", "1"):
            return f"The source option {source_option} of a transfer is not converted."
        found.append(Transfer(source, target, is_watching, is_copying, source_option == "1", tuple(notes)))
    return found


_PLAIN_OPTIONS: Final = (
    "Src",
    "Dest",
    "TransferOption",
    "SRCOPT",
    "SrcOption",
    "TransferType",
    "VERNUM",
    "TRIM",
    "CASEIFS",
    "NULLFLDS",
    "IF_EXIST",
    "SRC_PATTERN",
    "DestinationFilename",
    "UnitsOfTimeLimit",
)


def _is_on(value: Any) -> bool:
    """Say whether an option does something: a nested one when any switch in it is on."""
    if isinstance(value, Mapping):
        switches = [item for key, item in value.items() if isinstance(item, bool) or str(key).endswith("Enabled")]
        return any(item in (True, "True", "true", "1") for item in switches)
    return value not in (0, "0", "", False, None, "No", "None", "false", "False")


def _from_variables(names: Mapping[str, str], number: int) -> Transfer | str:
    def of(key: str) -> str:
        return names.get(f"FTP-{key}", "") or names.get(f"FTP-{key}{number}", "")

    kinds = of("CONNTYPE1").upper(), of("CONNTYPE2").upper()
    local = _side(
        kinds[0] or "FILE SYSTEM", names.get(f"FTP-LPATH{number}", ""), of("ACCOUNT"), "", of("LHOST"), of("LUSER"), "1"
    )
    remote = _side(kinds[1], names.get(f"FTP-RPATH{number}", ""), of("ACCOUNT"), "", of("RHOST"), of("RUSER"), "2")
    if local is None or remote is None:
        return f"The connection type {kinds[0] if local is None else kinds[1]} is not converted."
    if not local.path or not remote.path:
        return "A transfer lacks its source or its destination."
    option = names.get(f"FTP-UPLOAD{number}", "1")
    if option not in ("0", "1"):
        return f"The transfer direction {option} (watch only, or directory listing) is not converted."
    if any(
        names.get(f"FTP-{key}{number}", "0") not in ("", "0")
        for key in ("PREPARAM1", "PREPARAM2", "POSTCMD1", "POSTCMD2")
    ):
        return "Commands before or after the transfer are not converted."
    source_option = names.get(f"FTP-SRCOPT{number}", "0")
    if source_option not in ("", "0", "1"):
        return f"The source option {source_option} of a transfer is not converted."
    source, target = (local, remote) if option == "1" else (remote, local)
    notes = ("Its files are copied byte by byte.",) if names.get(f"FTP-TYPE{number}", "I").upper() == "A" else ()
    return Transfer(source, target, is_moving=source_option == "1", notes=notes)


def _side(
    kind: str, path: str, profile: str, bucket: str, host: str = "", user: str = "", ending: str = ""
) -> Side | None:
    scheme = _SCHEMES.get(kind.strip())
    if scheme is None:
        return None
    if "+" in profile and ending:
        profile = profile.split("+")[0 if ending == "1" else -1]
    path = path.strip()
    if scheme in ("s3", "gs", "abfs") and bucket:
        path = f"{bucket}/{path.lstrip('/')}"
    return Side(scheme, path, profile, "" if host.startswith("<") else host, user)
