"""What is said of one thing on this machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing, how it is, and what to do if that is wrong.

    Attributes:
        name: what was looked at.
        state: how it is.
        problem: one sentence on what is wrong and what to do; empty if nothing is.
        hint: one sentence on what could be better, but need not be; empty if nothing.
    """

    name: str
    state: str
    problem: str = ""
    hint: str = ""


def shown(findings: list[Finding]) -> str:
    """Return findings as lines: a mark, the name and the state, and below what to do."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        mark = "FAIL" if finding.problem else "ok"
        lines.append(f"{mark:<5}{finding.name:<{width}}  {finding.state}".rstrip())
        advice = finding.problem or finding.hint
        if advice:
            lines.append(f"{'':<{width + 5}}  -> {advice}")
    return "\n".join(lines)
