"""Pieces of Jinja and Python as text: strings, groups, words of the shell."""

from __future__ import annotations

import re


def grouped(text: str) -> str:
    if text.startswith("logical_date") and text.endswith(")") and text.count('"') <= 2:
        return text  # a chain of calls
    if re.fullmatch(r"\(ti\.xcom_pull\(task_ids=\"[^\"]*\"\) or \{\}\)\.get\(\"[^\"]*\"(, \"\")?\)", text):
        return text  # what an action captured
    simple = re.fullmatch(r"[\w.]+(\[\"[^\"\]]*\"\])*|\"[^\"\\]*\"|\w[\w.]*\([^()]*\)(\[[^\]]*\])*", text)
    return text if simple or (text.startswith("(") and _closes_last(text)) else f"({text})"


def _closes_last(text: str) -> bool:
    depth = 0
    for place, mark in enumerate(text):
        depth += (mark == "(") - (mark == ")")
        if depth == 0:
            return place == len(text) - 1
    return False


def string(value: object) -> str:
    text = repr(str(value))
    return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text


def constant(text: str) -> str | None:
    """Give the value of an expression that is nothing but a plain string; else None."""
    return text[1:-1] if re.fullmatch(r"\"[^\"\\]*\"|'[^'\\]*'", text) else None


def literal(text: str) -> str:
    """Write a text so that Jinja gives it back."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)


def shell_word(text: str) -> str:
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII) else "'" + text.replace("'", "'\"'\"'") + "'"
