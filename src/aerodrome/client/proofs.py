"""What is proved about migrations, over the API: comparisons, the checklist, the decommission, the evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerodrome.client.migrations import error_of
from aerodrome.client.transport import Transport, segment
from aerodrome.client.waiting import wait
from aerodrome.kernel.secret import Secret


@dataclass(frozen=True)
class Proof:
    """A proof as the API shows it; `data` is the whole answer."""

    id: str
    kind: str
    status: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Proof:
        return cls(data["id"], data["kind"], data["status"], data)

    @property
    def is_busy(self) -> bool:
        return self.status in ("queued", "running")

    @property
    def steps(self) -> list[Mapping[str, Any]]:
        return list(self.data["steps"])

    @property
    def result(self) -> Mapping[str, Any]:
        return dict(self.data["result"])


class Proofs:
    """The noun `proof`."""

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    def compare(self, ref: str, wish: Mapping[str, Any]) -> Proof:
        """Ask for a comparison; `wish` is the request's body: deployment, dag_ids, wave, file and more."""
        return Proof.of(self._http.post(f"{_path(ref)}/compare", dict(wish)))

    def compare_steps(self, ref: str, wish: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Give the very steps that `compare` would run now."""
        return list(self._http.post(f"{_path(ref)}/compare/dry-run", dict(wish)))

    def promote(self, ref: str, wave: str, wish: Mapping[str, Any]) -> Proof:
        """Ask for a wave to go through development to production; `wish` is the request's body, as of `compare` and more."""
        return Proof.of(self._http.post(f"{_path(ref)}/waves/{segment(wave)}/promote", dict(wish)))

    def promote_steps(self, ref: str, wave: str, wish: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Give the very steps that `promote` would run now."""
        return list(self._http.post(f"{_path(ref)}/waves/{segment(wave)}/promote/dry-run", dict(wish)))

    def check(self, ref: str, *, with_tasks: bool = False) -> Proof:
        """Ask for the checklist to be looked through anew; `with_tasks`: each dependency by a task of the target."""
        return Proof.of(self._http.post(f"{_path(ref)}/checklist", {"with_tasks": with_tasks}))

    def decommission(
        self, ref: str, *, days: int, passphrase: Secret | None, logs: str | None, access_log: str | None
    ) -> Proof:
        """Ask whether the source may go, with its final backup."""
        secret = passphrase.reveal() if passphrase is not None else None
        body = {"days": days, "passphrase": secret, "logs": logs, "access_log": access_log}
        return Proof.of(self._http.post(f"{_path(ref)}/decommission", body))

    def list(self, ref: str, kind: str | None = None) -> Iterator[Proof]:
        """Give the proofs, newest first, without steps."""
        return (Proof.of(item) for item in self._http.pages(f"{_path(ref)}/proofs", {"kind": kind}))

    def get(self, ref: str, proof_id: str) -> Proof:
        return Proof.of(self._http.get(f"{_path(ref)}/proofs/{segment(proof_id)}"))

    def parity(self, ref: str, verdict: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Give the newest parity report of each DAG in short."""
        yield from self._http.pages(f"{_path(ref)}/parity", {"verdict": verdict})

    def parity_report(self, ref: str, dag_id: str) -> Mapping[str, Any]:
        return dict(self._http.get(f"{_path(ref)}/parity/{segment(dag_id)}"))

    def runbook(self, ref: str) -> str:
        return self._http.get_text(f"{_path(ref)}/runbook")

    def create_evidence(self, ref: str, target: Path) -> Mapping[str, Any]:
        """Have the bundle written and fetch it into a file; gives size_bytes, key_id, parts."""
        made = dict(self._http.post(f"{_path(ref)}/evidence", timeout_s=600.0))
        self._http.save(f"{_path(ref)}/evidence", target)
        return made

    def evidence_key(self) -> str:
        """Give the public key (PEM) that verifies bundles."""
        return self._http.get_text("/evidence-key")

    def watch(
        self,
        ref: str,
        proof_id: str,
        progress: Callable[[Proof], None],
        *,
        timeout_s: float = 7200.0,
        every_s: float = 0.5,
    ) -> Proof:
        """Wait until it has ended, telling each look; raises the proof's own error when it failed. Waits for a server that is away."""
        seen = wait(
            lambda: self.get(ref, proof_id),
            lambda item: not item.is_busy,
            timeout_s=timeout_s,
            what=f"{proof_id} of {ref}",
            progress=progress,
            every_s=every_s,
            is_server_awaited=True,
            code="proof-slow",
            hint=f"It goes on: aerodrome migrate proof {ref} {proof_id}",
        )
        if seen.status == "failed":
            raise error_of(seen.data["error"])
        return seen


def _path(ref: str) -> str:
    return f"/migrations/{segment(ref)}"
