"""The page of `aerodrome upgrade --html`: every changed file with its diff, findings and proof, to accept or reject. One file, no requests."""

from __future__ import annotations

from html import escape

from aerodrome.migration import codemod

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:76rem;padding:1rem;color:#1b1f24;background:#fff}
header{position:sticky;top:0;background:#fff;padding:.5rem 0;border-bottom:1px solid #c8ccd1}
details{border:1px solid #c8ccd1;border-radius:6px;margin:.75rem 0;padding:.5rem .75rem}
summary{cursor:pointer}pre{overflow:auto;font-size:13px;margin:.5rem 0}
.add{background:#e3f5e6}.drop{background:#fbe4e4}.at{color:#57606a}.bad{color:#a40e26;font-weight:600}
details.rejected{opacity:.55}table{border-collapse:collapse}td{padding:.1rem .75rem .1rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body,header{background:#14171a;color:#e6e8eb}.add{background:#14361d}.drop{background:#42191c}.bad{color:#ff8a8a}}
"""
_SCRIPT = """
const boxes=[...document.querySelectorAll('input[name=accept]')];
function tell(){const n=boxes.filter(b=>b.checked).length;
document.getElementById('count').textContent=`${n} of ${boxes.length} files accepted`;
boxes.forEach(b=>b.closest('details').classList.toggle('rejected',!b.checked));}
boxes.forEach(b=>b.addEventListener('change',tell));
document.getElementById('save').addEventListener('click',()=>{
const text=boxes.filter(b=>b.checked).map(b=>b.value+'\\n').join('');
const link=document.createElement('a');link.href=URL.createObjectURL(new Blob([text],{type:'text/plain'}));
link.download='accepted.txt';link.click();});
tell();
"""


def page(done: codemod.CodeUpgrade, proof: codemod.Proof | None, source_version: str) -> str:
    """Give the page; files that the proof calls broken or different are not accepted beforehand, nor those with tasks that raise."""
    proved = {item.file: item for item in proof.files} if proof else {}
    parts = [_file(file, proved.get(file.path)) for file in done.files]
    title = f"Upgrade from Airflow {escape(source_version)} to {escape(done.target_version)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><header><h1>{title}</h1>"
        '<p><span id="count" role="status"></span> <button id="save">Save the accepted files</button></p>'
        "<p>Then: <code>aerodrome upgrade PATH --write --only accepted.txt</code></p></header><main>"
        f"{''.join(parts)}</main><script>{_SCRIPT}</script></html>\n"
    )


def _file(file: codemod.FileChange, proof: codemod.FileProof | None) -> str:
    name = escape(file.path, quote=True)
    verdict = proof.verdict if proof else "not proved"
    is_raising = any(item.rule == codemod.GONE for item in file.findings)
    is_bad = verdict in ("broken", "different") or is_raising
    box = (
        f'<label><input type="checkbox" name="accept" value="{name}"{"" if is_bad else " checked"}> accept</label> '
        if file.diff
        else ""
    )
    rows = "".join(
        f"<tr><td>{item.line}<td>{escape(item.rule)}<td>{escape(item.message)}<td>{escape(item.hint)}"
        for item in file.findings
    )
    rules = ", ".join(f"{escape(rule)} {count}" for rule, count in file.rules.items())
    why = escape(proof.reason) if proof and proof.reason else ""
    if proof and not why:
        why = "<br>".join(escape(f"{item.dag_id}: {item.path}. {item.reason}") for item in proof.differences[:20])
    return (
        f"<details{' open' if is_bad else ''}><summary>{box}<b>{name}</b> "
        f'<span class="{"bad" if is_bad else "at"}">{escape(verdict)}{", tasks raise" if is_raising else ""}</span> <span class="at">{rules}</span></summary>'
        + (f"<p>{why}</p>" if why else "")
        + (f"<table>{rows}</table>" if rows else "")
        + (f"<pre>{''.join(_line(line) for line in file.diff.splitlines())}</pre>" if file.diff else "")
        + "</details>"
    )


def _line(line: str) -> str:
    kind = "at" if line.startswith(("@@", "---", "+++")) else {"+": "add", "-": "drop"}.get(line[:1], "")
    return f'<span class="{kind}">{escape(line)}</span>\n'
