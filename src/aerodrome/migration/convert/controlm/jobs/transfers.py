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
    "FTP": "ftp",
    "FTPS": "ftps",
    "FTP-SSL": "ftps",
    "FTPSSL": "ftps",
}
_STORED: Final = re.compile(r"(?:s3a?|gs|abfss?|wasbs?|s3n)://([^/@:]+)(?:@[^/]*)?(?=/|$)")
SERVERS: Final = ("ftp", "ftps")  # schemes that Airflow's storage does not reach: hooks do
_DIRECTIONS: Final = {  # of FTP-UPLOADn: is it from left to right, does it watch first
    "0": (False, False),
    "1": (True, False),
    "2": (False, True),
    "3": (True, True),
}
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


@dataclass(frozen=True)
class Side:
    scheme: str
    path: str
    profile: str = ""
    host: str = ""
    user: str = ""

    @property
    def address(self) -> str:
        """Give it as Airflow's storage names it."""
        return f"{self.scheme}://{self.path}"

    @property
    def is_by_hook(self) -> bool:
        """Say whether only a hook reaches it; addresses of Airflow's storage have no paths below a home."""
        return self.scheme in SERVERS or (self.scheme == "sftp" and not self.path.startswith(("/", "%%")))


@dataclass(frozen=True)
class Command:
    """A file command at one end, before or after a transfer: rm, mkdir, rename or chmod (`target`: the new name, the mode)."""

    action: str
    side: Side
    target: str = ""
    is_needed: bool = False  # its failure fails the job: only where FailJobOn…CommandFailure says so


@dataclass(frozen=True)
class Transfer:
    source: Side
    destination: Side
    is_watching: bool = False
    is_copying: bool = True
    is_moving: bool = False
    wait_minutes: int = 0  # how long it watches; 0: not said
    notes: tuple[str, ...] = ()
    before: tuple[Command, ...] = ()
    after: tuple[Command, ...] = ()
    pgp: str = ""  # the PGP template by which it is encrypted or decrypted on the way

    @property
    def is_plain(self) -> bool:
        """Say whether it is one named file to one named file."""
        return not (self.is_moving or re.search(r"[*?]", self.source.path) or self.destination.path.endswith("/"))

    @property
    def is_by_hook(self) -> bool:
        """Say whether one end is a server that hooks reach: FTP, or a path below the home of an SFTP user."""
        return any(side.is_by_hook for side in (self.source, self.destination))


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
        item = _from_variables(names, number)
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
    if (lone := _lone_bucket(details)) and not any(_SCHEMES.get(kind) in ("s3", "gs", "abfs") for kind in known):
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
        source = _side(known[0], str(item.get("Src", "")), profiles[0], _bucket(details, "Src"))
        target = _side(known[1], str(item.get("Dest", "")), profiles[1], _bucket(details, "Dest"))
        if source is None or target is None:
            end, place = (0, "Src") if source is None else (1, "Dest")
            if known[end] in _SCHEMES:
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
            if key not in _PLAIN_OPTIONS and _is_on(value) and not (template and key == "PgpEncryption")
        ]
        options += _of_watcher(item, is_watching=is_watching)
        changing = [key for key in options if any(word in key for word in _CHANGING)]
        if changing:
            return f"{', '.join(changing)} of a transfer is not converted."
        notes = [*assumed, *(f"The transfer option {key} has no effect." for key in options)]
        if str(item.get("TransferType", "")).upper().startswith("A"):
            notes.append("Its files are copied byte by byte.")
        if template and _is_on(item["PgpEncryption"].get("KeepEncryptedFiles")):
            notes.append("KeepEncryptedFiles has no effect: encrypted files stay on no host on their way.")
        if not (known[0] and known[1]):
            notes.append("The definition does not say what its connections are: they are taken as SFTP.")
        source_option = str(item.get("SRCOPT", item.get("SrcOption", "0")))
        if source_option not in ("0", "1"):
            return f"The source option {source_option} of a transfer is not converted."
        found.append(
            Transfer(
                source,
                target,
                is_watching,
                is_copying,
                source_option == "1",
                _minutes(item.get("FileWatcherOptions"), item.get("TIMELIMIT")),
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
            is_needed = _is_on(item.get(f"FailJobOn{'Source' if end == 'Src' else end}CommandFailure"))
            commands.append(Command(action, where, second, is_needed))
    return tuple(found["Pre"]), tuple(found["Post"])


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


_LIMITS: Final = ("TimeLimitPolicy", "TimeLimitValue", "UnitsOfTimeLimit")
_OF_JOB: Final = (
    *("ACCOUNT", "LHOST", "RHOST", "LUSER", "RUSER", "CONNTYPE1", "CONNTYPE2", "LOSTYPE", "ROSTYPE", "TRANSFER_NUM"),
    *("USE_DEF_NUMRETRIES", "NUM_RETRIES", "AUTOREFRESH", "RPF", "OSTYPE1", "OSTYPE2", "ABSTIME"),
)  # variables of a whole transfer job that are told elsewhere, or change nothing


def _is_on(value: Any) -> bool:
    """Say whether an option does something: a nested one when any switch in it is on, without switches when anything is said in it."""
    if isinstance(value, Mapping):
        switches = [item for key, item in value.items() if isinstance(item, bool) or str(key).endswith("Enabled")]
        return any(_is_on(item) for item in switches or value.values())
    if isinstance(value, list):
        return any(_is_on(item) for item in value)
    return str(value or "").strip().lower() not in ("", "0", "n", "no", "none", "false", "off")


def _of_watcher(item: Mapping[str, Any], *, is_watching: bool) -> list[str]:
    """Name what a watcher asks of its file, or does with it, besides how long it waits."""
    options = item.get("FileWatcherOptions")
    if not is_watching or not isinstance(options, Mapping):
        return []
    told = [key for key, value in options.items() if key not in _LIMITS and _is_on(value)]
    return [*told, *(["TimeLimitPolicy"] if options.get("TimeLimitPolicy") == "WaitUntil" else [])]


def _template(options: Any) -> str | None:
    """Give the PGP template of a transfer, "" where it has none; None when it is encrypted and names none."""
    if not isinstance(options, Mapping) or str(options.get("PgpEnabled", False)).lower() not in ("true", "1"):
        return ""
    return str(options.get("PgpTemplateName") or "") or None


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
        if key.startswith("FTP-") and key.endswith(str(number)) and _is_on(value)
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
        key.removeprefix("FTP-") for key, value in names.items() if re.fullmatch(r"FTP-\w*\D", key) and _is_on(value)
    ]
    notes += [f"The transfer option {key} has no effect." for key in of_job if key not in _OF_JOB]
    if (user := of("LUSER")) and local.scheme == "file":
        notes.append(f"The local files are those of the worker's user, not of {user}.")
    if of("USE_DEF_NUMRETRIES") == "1" or of("NUM_RETRIES") not in ("", "0"):
        notes.append(
            "Control-M repeats a transfer that breaks off; here the task fails, and its retries are those of its ON blocks."
        )
    limit = names.get(f"FTP-TIMELIMIT{number}", "")
    return Transfer(
        source,
        target,
        is_watching,
        is_moving=source_option == "1",
        wait_minutes=_minutes(None, limit),
        notes=tuple(notes),
        pgp=template,
    )


def _minutes(options: Any, limit: Any) -> int:
    """Give how long a watcher waits, in minutes; 0 where nobody says it."""
    if isinstance(options, Mapping) and str(options.get("TimeLimitPolicy", "")) != "WaitUntil":
        limit = options.get("TimeLimitValue", limit)
        if str(options.get("UnitsOfTimeLimit", "Minutes")) == "Hours" and str(limit).isdigit():
            return int(str(limit)) * 60
    return int(str(limit)) if str(limit).isdigit() else 0


def _side(
    kind: str, path: str, profile: str, bucket: str, host: str = "", user: str = "", ending: str = ""
) -> Side | None:
    scheme = _SCHEMES.get(kind.strip())
    if scheme is None:
        return None
    if "+" in profile and ending:
        profile = profile.split("+")[0 if ending == "1" else -1]
    path = path.strip().strip('"')
    if scheme in ("sftp", *SERVERS):
        path = path.removeprefix("~/") or "./" if path.startswith("~/") else path  # below the home, as hooks take it
        if "\\" in path and "/" not in path and not re.match(r"[A-Za-z]:|\\\\", path):
            path = path.replace("\\", "/")  # a path of Windows below the home: servers take it with slashes
    if scheme in ("s3", "gs", "abfs"):
        if whole := _STORED.match(path):  # a whole address: it names its bucket itself
            if bucket not in ("", whole[1]):
                return None
            bucket, path = whole[1], path[whole.end() :]
        path = f"{bucket}/{path.lstrip('/')}" if bucket else path
    elif "://" in path:
        return None
    return Side(scheme, path, profile, "" if host.startswith("<") else host, user)
