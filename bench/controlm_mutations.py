"""Small damage to Control-M definitions that leaves them readable: what real exports bring."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random


def mutated(random: Random, corpus: Path, folder: Path) -> None:
    """Write one to three files of a corpus, each with small damage that leaves it an export."""
    files = sorted(file for file in corpus.rglob("*") if file.is_file() and file.stat().st_size < 400_000)
    for number, file in enumerate(random.sample(files, random.choice((1, 2, 3)))):
        text = file.read_bytes().decode("utf-8-sig", "replace")
        for _ in range(random.randrange(1, 6)):
            text = random.choice((_drop, _swap, _double, _case, _blank, _noise))(random, text)
        is_xml = "<DEF" in text.upper()
        data = (
            text.encode(random.choice(("utf-8", "utf-8-sig")))
            if not is_xml
            else re.sub(r"<\?xml[^>]*\?>", "", text).encode("utf-8")
        )
        (folder / f"{number}.{'xml' if is_xml else 'json'}").write_bytes(data)


_PAIR = re.compile(r'\s[A-Z_0-9]+="[^"]*"|"[A-Za-z][\w: -]*"\s*:\s*("[^"]*"|\[[^\[\]{}]*\])\s*,')


def _pairs(text: str) -> list[re.Match[str]]:
    return list(_PAIR.finditer(text))


def _drop(random: Random, text: str) -> str:
    pairs = _pairs(text)
    if not pairs:
        return text
    one = random.choice(pairs)
    return text[: one.start()] + " " + text[one.end() :]


def _swap(random: Random, text: str) -> str:
    pairs = _pairs(text)
    if len(pairs) < 2:
        return text
    first, second = random.sample(pairs, 2)
    values = [re.search(r'"([^"]*)"\s*,?$', item[0]) for item in (first, second)]
    if None in values:
        return text
    old, new = (item[1] if item else "" for item in values)
    place = first[0].rfind(old)
    return text[: first.start() + place] + new + text[first.start() + place + len(old) :] if old else text


def _double(random: Random, text: str) -> str:
    found = list(re.finditer(r"<(JOB|INCOND|OUTCOND|ON|VARIABLE)\b[^>]*/>", text))
    if not found:
        return text
    one = random.choice(found)
    return text[: one.end()] + one[0] + text[one.end() :]


def _case(random: Random, text: str) -> str:
    words = sorted(set(re.findall(r"\b[A-Z_]{4,}(?==\")", text)))
    if not words:
        return text
    word = random.choice(words)
    return text.replace(f"{word}=", f"{word.lower()}=")


def _blank(random: Random, text: str) -> str:
    found = list(re.finditer(r'="[^"]*"', text))
    if not found:
        return text
    one = random.choice(found)
    return text[: one.start()] + '=""' + text[one.end() :]


def _noise(random: Random, text: str) -> str:
    found = list(re.finditer(r'="([^"<&]*)"|: "([^"\\]*)"', text))
    if not found:
        return text
    one = random.choice(found)
    noise = random.choice(("%%", "%%X%%Y", "é", "'", "{{ x }}", "99999999", "-1", " ", "\u2028"))
    return text[: one.end() - 1] + noise + text[one.end() - 1 :]
