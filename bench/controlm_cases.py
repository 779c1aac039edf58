"""Random Control-M exports: files of XML and of Automation API JSON in a folder."""

from __future__ import annotations

from pathlib import Path
from random import Random

from bench.controlm_json_cases import JsonCase
from bench.controlm_xml_cases import XmlCase


def write_case(random: Random, folder: Path) -> None:
    """Write one to three files of random definitions."""
    for number in range(random.choice((1, 1, 2, 3))):
        if random.random() < 0.55:
            text = XmlCase(random).export(random.randrange(1, 4))
            encoding = random.choice(("utf-8", "utf-8", "utf-16", "iso-8859-1"))
            text = text.replace("UTF-8", encoding, 1)
            (folder / f"{number}.xml").write_bytes(text.encode(encoding, "xmlcharrefreplace"))
        else:
            (folder / f"{number}.json").write_text(JsonCase(random).export(random.randrange(1, 4)), encoding="utf-8")
