"""Names of Google's client libraries that moved when these left protobuf's generated modules (their versions of 2020 and later).

What was in `proto.*_pb2` and in `enums` is in `types` (UPGRADING.md of google-cloud-vision 2.0, -language 2.0, -dlp 2.0 and others): providers of
Airflow 2.11 and 3.x need such versions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import import_text, replace
from aerodrome.migration.codemod.imports import indent_of, written
from aerodrome.migration.codemod.source import Source

_PROTO = re.compile(r"(google\.cloud\.\w+_v\d\w*)\.(proto(\.\w+_pb2)?|gapic\.enums)")
_PACKAGE = re.compile(r"google\.cloud\.(\w+?)(_v\d\w*)?(\.gapic)?")
_VERSIONS = {
    "automl": "_v1", "dlp": "_v2", "kms": "_v1", "language": "_v1", "monitoring": "_v3", "redis": "_v1", "speech": "_v1",
    "tasks": "_v2", "texttospeech": "_v1", "translate": "_v3", "videointelligence": "_v1", "vision": "_v1",
}  # fmt: skip
"""What the package without a version stands for."""


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.ImportFrom):
        module = "" if node.level else node.module or ""
        indent, newline = indent_of(source, node), source.newline.decode()
        if (match := _PROTO.fullmatch(module)) and node.names[0].name != "*":
            text = import_text(f"{match[1]}.types", [written(alias) for alias in node.names], indent, newline)
            yield Change((replace(source, node, text),))
        elif (match := _PACKAGE.fullmatch(module)) and [alias.name for alias in node.names] == ["enums"]:
            version = match[2] or _VERSIONS.get(match[1])
            if version:
                name = node.names[0].asname or "enums"
                text = f"from google.cloud.{match[1]}{version} import types as {name}"
                yield Change((replace(source, node, text),))


RULE = Rule(
    code="google-client-name",
    title="Messages and enums of Google's client libraries come from `types`",
    words=(b"google.cloud",),
    before="""
from google.cloud.language_v1.proto.language_service_pb2 import Document
from google.cloud.vision import enums

document = Document(content="hello", type="PLAIN_TEXT")
feature = enums.Feature.Type.LOGO_DETECTION
""",
    after="""
from google.cloud.language_v1.types import Document
from google.cloud.vision_v1 import types as enums

document = Document(content="hello", type="PLAIN_TEXT")
feature = enums.Feature.Type.LOGO_DETECTION
""",
    find=_find,
    is_for_2=True,
)
