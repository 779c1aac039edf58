"""Managed file transfers as copies between two addresses: the `FileTransfers` of JSON; the variables of XML exports are apart."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from aerodrome.migration.convert.controlm.jobs.transfer_ends import (
    SCHEMES,
    Command,
    Side,
    Transfer,
    is_on,
    limit_of,
    side_of,
)
from aerodrome.migration.convert.controlm.jobs.transfer_variables import transfer_of

_OPTIONS: Final = ("SrcToDest", "DestToSrc", "SrcToDestFileWatcher", "DestToSrcFileWatcher", "FileWatcher")
_CHANGING: Final = (
    "Pgp",
    "Incremental",
    "Compress",
    "Archive",
    "RECURSIVE",
    "Recursive",
    "EXCLUDE",
    "Exclude",
    "DSTOPT",
    "UNIQUE",
    "CreateEmpty",
)


def transfers_of(details: Mapping[str, str], kinds: Mapping[str, str]) -> list[Transfer] | str:
    """Give the transfers of a job in their order, or a sentence that says why they cannot be converted.

    `kinds` are the types of the connection profiles of the exports, by name.
    """
    if "FileTransfers" in details:
        try:
            listed = json.loads(details["FileTransfers"])
        except json.JSONDecodeError:
            return "Its file transfers cannot be read."
        return (
            _from_json(details, [item for item in listed if isinstance(item, dict)], kinds)
            or "It has no file transfers."
        )
    names = {key.upper(): value for key, value in details.items()}
    numbers = sorted(int(found[1]) for key in names if (found := re.fullmatch(r"FTP-[LR]PATH(\d+)", key)))
    transfers: list[Transfer] = []
    for number in dict.fromkeys(numbers):
        item = transfer_of(names, number)
        if isinstance(item, str):
            return item
        transfers.append(item)
    return transfers or "It names no files."


def _from_json(
    details: Mapping[str, str], listed: list[dict[str, Any]], kinds: Mapping[str, str]
) -> list[Transfer] | str:
    both = details.get("ConnectionProfileDualEndpoint", "")
    profiles = details.get("ConnectionProfileSrc", both), details.get("ConnectionProfileDest", both)
    known = [_kind(details, number, profiles[number - 1], kinds) for number in (1, 2)]
    assumed: list[str] = []
    if (lone := _lone_bucket(details)) and not any(SCHEMES.get(kind) in ("s3", "gs", "abfs") for kind in known):
        end = _end_of_bucket(known, profiles)
        if end is None:
            return (
                f"The bucket {details[lone[0]]} is of one end, and the exports do not say of which: "
                "export the connection profiles, or name their types under connection_profiles in the profile."
            )
        known[end] = lone[1]
        assumed.append(f"The bucket {details[lone[0]]} is taken as that of {profiles[end]}.")
    found = []
    for item in listed:
        option = str(item.get("TransferOption", "SrcToDest"))
        source = side_of(known[0], str(item.get("Src", "")), profiles[0], _bucket(details, "Src"))
        target = side_of(known[1], str(item.get("Dest", "")), profiles[1], _bucket(details, "Dest"))
        if source is None or target is None:
            end, place = (0, "Src") if source is None else (1, "Dest")
            if known[end] in SCHEMES:
                return f"{item.get(place, '')} is no path of the end {profiles[end]} ({known[end] or 'SFTP'}, {_bucket(details, place) or 'no bucket'})."
            return f"The connection type {known[end]} is not converted."
        if option not in _OPTIONS:
            return f"The transfer option {option} is not converted."
        ends = {"Src": source, "Dest": target}
        if option.startswith("DestToSrc"):
            source, target = target, source
        is_watching = "FileWatcher" in option
        is_copying = option != "FileWatcher"
        if not source.path or (is_copying and not target.path):
            return "A transfer lacks its source or its destination."
        if str(item.get("IF_EXIST", "0")) not in ("0", "", "Overwrite"):
            return f"IF_EXIST {item['IF_EXIST']} of a transfer is not converted: files there are overwritten."
        commands = _commands(item, ends)
        if isinstance(commands, str):
            return commands
        name = str(item.get("DestinationFilename") or "")
        if name not in ("", target.path.rpartition("/")[2]):
            return f"DestinationFilename {name} of a transfer is not converted."
        template = _template(item.get("PgpEncryption"))
        if template is None:
            return "PgpEncryption of a transfer names no template."
        options = [
            key
            for key, value in item.items()
            if key not in _PLAIN_OPTIONS
            and not _OF_COMMANDS.fullmatch(key)
            and is_on(value)
            and not (template and key == "PgpEncryption")
        ]
        options += _of_watcher(item, is_watching=is_watching)
        changing = [key for key in options if any(word in key for word in _CHANGING)]
        if changing:
            return f"{', '.join(changing)} of a transfer is not converted."
        notes = [*assumed, *(f"The transfer option {key} has no effect." for key in options)]
        if str(item.get("TransferType", "")).upper().startswith("A"):
            notes.append("Its files are copied byte by byte.")
        if template and is_on(item["PgpEncryption"].get("KeepEncryptedFiles")):
            notes.append("KeepEncryptedFiles has no effect: encrypted files stay on no host on their way.")
        open_ends = [profile or "without a name" for profile, kind in zip(profiles, known, strict=True) if not kind]
        if open_ends:
            names = ", ".join(dict.fromkeys(open_ends))
            notes.append(f"The definition does not say of which type the connection {names} is: it is taken as SFTP.")
        source_option = str(item.get("SRCOPT", item.get("SrcOption", "0")))
        if source_option not in ("0", "1"):
            return f"The source option {source_option} of a transfer is not converted."
        waits = _limit(item)
        if isinstance(waits, str):
            if is_watching:
                return waits
            waits = None
        found.append(
            Transfer(
                source,
                target,
                is_watching,
                is_copying,
                source_option == "1",
                waits,
                tuple(notes),
                *commands,
                template,
            )
        )
    return found


def _kind(details: Mapping[str, str], number: int, profile: str, kinds: Mapping[str, str]) -> str:
    """Give the connection type of one end: as the job says it, as its profile says it, or by its bucket; "" when nobody does."""
    names = {key.upper(): value for key, value in details.items()}
    if said := names.get(f"FTP-CONNTYPE{number}", ""):
        return said.upper()
    word = kinds.get(profile, "").upper()
    for part, kind in (
        ("SFTP", "SFTP"),
        ("S3", "S3"),
        ("GCS", "GCS"),
        ("AZURE", "AZURE"),
        ("LOCAL", "LOCAL"),
        ("FTPS", "FTPS"),
        ("FTP", "FTP"),
    ):
        if part in word:
            return kind
    end = "SRC" if number == 1 else "DEST"
    for part, kind in (("S3BUCKETNAME", "S3"), ("GOOGLEBUCKETNAME", "GCS"), ("GCSBUCKET", "GCS"), ("AZURE", "AZURE")):
        if any(name.startswith(part) and name.endswith(end) for name in names):
            return kind
    return ""


def _lone_bucket(details: Mapping[str, str]) -> tuple[str, str] | None:
    """Give the bucket that a job names without saying of which end, and the type of its connection."""
    words = (
        ("S3BucketName", "S3"),
        ("GoogleBucketName", "GCS"),
        ("GCSBucketName", "GCS"),
        ("AzureContainerName", "AZURE"),
    )
    return next(((name, kind) for name, kind in words if details.get(name)), None)


def _end_of_bucket(known: list[str], profiles: tuple[str, str]) -> int | None:
    """Say which end has the bucket: the only one whose type is not known, or the only one with the storage in its name."""
    open_ends = [number for number in (0, 1) if not known[number] and profiles[number]]
    named = [number for number in open_ends if re.search(r"S3|AWS|GCS|GCP|AZ|BLOB", profiles[number].upper())]
    ends = named if len(open_ends) > 1 else open_ends
    return ends[0] if len(ends) == 1 else None


def _bucket(details: Mapping[str, str], end: str) -> str:
    names = (
        f"S3BucketName{end}",
        f"GoogleBucketName{end}",
        f"GCSBucketName{end}",
        f"AzureContainerName{end}",
        "S3BucketName",
        "GoogleBucketName",
        "GCSBucketName",
        "AzureContainerName",
    )
    return next((details[name] for name in names if details.get(name)), "")


def _commands(
    item: Mapping[str, Any], ends: Mapping[str, Side]
) -> tuple[tuple[Command, ...], tuple[Command, ...]] | str:
    """Give the commands before and after a transfer, or a sentence that says which one is not converted."""
    found: dict[str, list[Command]] = {"Pre": [], "Post": []}
    for when, commands in found.items():
        for end, side in ends.items():
            command = item.get(f"{when}Command{end}")
            if not command:
                continue
            action = str(command.get("action", "")) if isinstance(command, dict) else str(command)
            known = ("rm", "mkdir", "rename", "chmod") if side.scheme in ("sftp", "file") else ("rm", "mkdir", "rename")
            if not isinstance(command, dict) or action not in known:
                return f"The command {action} ({when}Command{end}) of a transfer is not converted."
            first, second = str(command.get("arg1", "")), str(command.get("arg2", ""))
            if action == "chmod":
                first, second = second, first  # its mode stands before its file
            where = Side(side.scheme, first, side.profile, side.host, side.user)
            is_needed = is_on(item.get(f"FailJobOn{'Source' if end == 'Src' else end}CommandFailure"))
            commands.append(Command(action, where, second, is_needed))
    return tuple(found["Pre"]), tuple(found["Post"])


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
    "TIMELIMIT",
    "FileWatcherOptions",
)


_OF_COMMANDS: Final = re.compile(r"(Pre|Post)Command(Src|Dest)|FailJobOn(Source|Dest)CommandFailure")  # file commands
_LIMITS: Final = ("TimeLimitPolicy", "TimeLimitValue", "UnitsOfTimeLimit")


def _of_watcher(item: Mapping[str, Any], *, is_watching: bool) -> list[str]:
    """Name what a watcher asks of its file, or does with it, besides how long it waits."""
    options = item.get("FileWatcherOptions")
    if not is_watching or not isinstance(options, Mapping):
        return []
    told = [key for key, value in options.items() if key not in _LIMITS and is_on(value)]
    return [*told, *(["TimeLimitPolicy"] if options.get("TimeLimitPolicy") == "WaitUntil" else [])]


def _template(options: Any) -> str | None:
    """Give the PGP template of a transfer, "" where it has none; None when it is encrypted and names none."""
    if not isinstance(options, Mapping) or str(options.get("PgpEnabled", False)).lower() not in ("true", "1"):
        return ""
    return str(options.get("PgpTemplateName") or "") or None


def _limit(item: Mapping[str, Any]) -> timedelta | str | None:
    options = item.get("FileWatcherOptions")
    if not isinstance(options, Mapping):
        return limit_of(item.get("TIMELIMIT"), str(item.get("UnitsOfTimeLimit") or ""))
    if options.get("TimeLimitPolicy") == "WaitUntil":
        return None
    limit = options.get("TimeLimitValue", item.get("TIMELIMIT"))
    return limit_of(limit, str(options.get("UnitsOfTimeLimit") or item.get("UnitsOfTimeLimit") or ""))
