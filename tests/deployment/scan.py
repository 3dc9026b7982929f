"""``make scan``: known vulnerabilities of all that constraints.txt pins, a part of ``make test``.

pip-audit asks the package index's advisories. Without a network, or behind a mirror that holds
none, it would find nothing and call that well; so this first asks for a vulnerability that is known
to everybody. Where it is not told, it says loudly that nothing was looked for, and does not fail,
so that the tests can be run anywhere.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import httpx

from tests.deployment.compose_file import ROOT

# CVE-2018-18074: requests sent passwords to whatever a page redirected to.
_KNOWN_TO_EVERYBODY = "https://pypi.org/pypi/requests/2.19.1/json"
_SECONDS = 10.0


def obstacle() -> str:
    """What keeps us from asking, "" where nothing does."""
    if importlib.util.find_spec("pip_audit") is None:
        return "pip-audit is not installed; `make setup` installs it"
    try:
        answer = httpx.get(_KNOWN_TO_EVERYBODY, timeout=_SECONDS)
        answer.raise_for_status()
        told = answer.json().get("vulnerabilities")
    except (httpx.HTTPError, ValueError) as error:
        return f"the advisories cannot be reached ({type(error).__name__})"
    return "" if told else "this package index holds no advisories"


def main() -> int:
    if reason := obstacle():
        print(f"SKIPPED: vulnerabilities were NOT looked for, because {reason}.", file=sys.stderr)
        return 0
    command = [sys.executable, "-m", "pip_audit", "--strict", "--progress-spinner", "off"]
    command += ["--requirement", str(ROOT / "constraints.txt"), "--no-deps", "--disable-pip"]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
