#!/usr/bin/env python3
"""Known vulnerabilities of the installed packages, by pip-audit: `make audit`.

Ends with 1 when there are any. Where the advisories cannot be reached it says so and ends with 0: a machine without
a network must still be able to build, and whoever reads its log must not take the silence for "none".
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LONGEST = 180
COMMAND = ["--local", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
UNREACHABLE = """\
!!! THE PACKAGES WERE NOT AUDITED: the advisories could not be reached.
!!! {why}
!!! Run `make audit` where they can be reached, before the next release."""


def main() -> int:
    try:
        # The address of a proxy or an index of packages may be in the output: only its last line is shown.
        done = subprocess.run(
            [str(Path(sys.executable).with_name("pip-audit")), *COMMAND],
            capture_output=True, text=True, timeout=LONGEST, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        print(UNREACHABLE.format(why=f"No answer within {LONGEST} s."))
        return 0
    return judge(done.stdout, done.stderr)


def judge(answer: str, said: str) -> int:
    """0 or 1 for what pip-audit answered. Its own code does not tell vulnerabilities from a missing network."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (said.strip().splitlines() or ["pip-audit said nothing."])[-1]
        print(UNREACHABLE.format(why=last[:200]))
        return 0
    found = [(package, known) for package in packages for known in package.get("vulns", [])]
    for package, known in found:
        fixed = ", ".join(known.get("fix_versions", [])) or "no release yet"
        print(f"{package['name']} {package['version']}: {known['id']}, fixed in {fixed}")
    skipped = [package for package in packages if "vulns" not in package]
    if len(skipped) == len(packages):
        # A mirror of packages without their advisories: pip-audit itself calls that "no known vulnerabilities".
        why = skipped[0]["skip_reason"] if skipped else "pip-audit saw no package."
        print(UNREACHABLE.format(why=why[:200]))
        return 0
    for package in skipped:
        print(f"!!! {package['name']} was not audited: {package['skip_reason']}")
    print(f"{len(packages) - len(skipped)} packages audited, {len(found)} known vulnerabilities.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
