"""Damages Oozie definitions in ways that happen to files, and converts them: none may crash, every one is converted or refused with a reason.

python -m bench.oozie_mutations --corpus DIR [--seeds 0:5]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.convert.emission import compose
from aerodrome.migration.convert.oozie.reading import read

Change = Callable[[str, random.Random], str]


def _pick(pattern: str, text: str, chance: random.Random) -> re.Match[str] | None:
    found = list(re.finditer(pattern, text, re.DOTALL))
    return chance.choice(found) if found else None


def _without(pattern: str) -> Change:
    def change(text: str, chance: random.Random) -> str:
        match = _pick(pattern, text, chance)
        return text if match is None else text[: match.start()] + text[match.end() :]

    return change


def _instead(pattern: str, new: str | Callable[[re.Match[str]], str]) -> Change:
    def change(text: str, chance: random.Random) -> str:
        match = _pick(pattern, text, chance)
        return (
            text
            if match is None
            else text[: match.start()] + (new(match) if callable(new) else match.expand(new)) + text[match.end() :]
        )

    return change


CHANGES: dict[str, Change] = {
    "attribute dropped": _without(r'\s[\w:-]+="[^"]*"'),
    "attribute empty": _instead(r'(\s[\w-]+)="[^"]*"', r'\1=""'),
    "element dropped": _without(r"<(\w[\w-]*)(?:\s[^<>]*)?>[^<>]*</\1>"),
    "element empty": _instead(r"<(\w[\w-]*)((?:\s[^<>]*)?)>[^<>]+</\1>", r"<\1\2></\1>"),
    "element twice": _instead(r"(<(\w[\w-]*)(?:\s[^<>]*)?>[^<>]*</\2>)", r"\1\1"),
    "namespace odd": _instead(r"uri:oozie:[\w:.-]+", "uri:oozie:other:9.9"),
    "namespace dropped": lambda text, _: re.sub(r'\sxmlns="[^"]*"', "", text),
    "comment inside": _instead(r">([^<>]+)</", r"><!-- a -->\1<!-- b --></"),
    "CDATA": _instead(r">([^<>&\]]+)</", r"><![CDATA[\1]]></"),
    "entity known": _instead(r">([^<>&]+)</", r">\1&amp;&#x41;</"),
    "entity unknown": _instead(r">([^<>&]+)</", r">\1&nbsp;</"),
    "placeholder": _instead(r">([^<>]+)</", r">@PLACE.HOLDER@##x##{{ y }}%(z)s</"),
    "EL broken": _instead(r"\$\{", r"${${"),
    "EL open": _instead(r"\}", r""),
    "EL other": _instead(r"\$\{[^}]*\}", r"${my:fn(a[0].b, 'x', -1.5e3) lt not empty c ? 1 : 'q'}"),
    "transition elsewhere": _instead(r'to="[^"]*"', 'to="nowhere"'),
    "number odd": _instead(r"\d+", "-007"),
    "uri prefix": _instead(r"(?:hdfs|s3|/)[\w:/.-]*", "wasbs://c@a.blob.example.com/x"),
    "cut": lambda text, chance: text[: chance.randrange(len(text))],
    "processing instruction": _instead(r"\?>", "?>\n<?other thing?>"),
    "doctype": _instead(r"<(?=[a-z])", '<!DOCTYPE a [<!ENTITY b "c">]><'),
    "whitespace": _instead(r">([^<>]+)</", ">\n\t  \\1 \r\n</"),
    "unicode": _instead(r">([^<>]+)</", ">\u2028\\1\u00e9\U0001f600</"),
    "very long": _instead(r">([^<>]+)</", lambda _: ">" + "x" * 200_000 + "</"),
}
ENCODINGS = ("utf-8", "utf-16", "utf-8-sig", "latin-1")


def damage(folder: Path, chance: random.Random) -> list[str]:
    """Change one to three things in each XML file; give the names of the changes."""
    made = []
    for path in sorted(folder.rglob("*.xml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for name in chance.sample(sorted(CHANGES), chance.randint(1, 3)):
            match = CHANGES[name]
            text = match(text, chance)
            made.append(name)
        encoding = chance.choice(ENCODINGS) if chance.random() < 0.2 else "utf-8"
        path.write_bytes(text.encode(encoding, errors="replace"))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--seeds", default="0:5")
    given = parser.parse_args()
    first, _, last = given.seeds.partition(":")
    total: Counter[str] = Counter()
    for seed in range(int(first), int(last)):
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch) / "source"
            shutil.copytree(given.corpus, root)
            for path in root.rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)
            damage(root, random.Random(seed))
            try:
                conversion = read(root, {})
                files = compose(conversion, "3.3")
                for name, text in files.items():
                    if name.endswith(".py"):
                        compile(text, name, "exec")
            except AerodromeError as error:
                sys.stderr.write(f"seed {seed}: {error.code} {error.message}\n")
                total["errors"] += 1
                continue
            except Exception as error:
                sys.stderr.write(f"seed {seed}: {type(error).__name__} {error}\n")
                total["crashes"] += 1
                raise
            total["definitions"] += conversion.definitions
            total["rejected"] += len(conversion.rejected)
            total["dags"] += len(conversion.dags)
    sys.stdout.write(json.dumps(dict(total)) + "\n")
    return 1 if total["crashes"] else 0


if __name__ == "__main__":
    sys.exit(main())
