"""Results of the checks of `smpler doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was checked, its state, and what to do about a problem.

    Attributes:
        name: what was checked.
        state: its state.
        problem: one sentence on what is wrong and what to do; empty if nothing is wrong.
        hint: one sentence on an optional improvement; empty if there is none.
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
