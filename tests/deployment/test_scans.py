"""No secret in the repository, and a scan for vulnerabilities that says when it cannot look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from tests.deployment import scan
from tests.deployment.compose_file import ROOT

# Detectors of forms that nothing else has. The others guess by entropy and names, and would call
# every checksum a secret.
DETECTORS = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
# Secrets that were made up, to test that they are found.
MADE_UP = (
    "tests/adapters/dataset/test_build.py",
    "tests/adapters/dataset/test_redact.py",
    "tests/deployment/test_scans.py",
    "tests/telemetry/test_logs.py",
)


def found_in(paths: list[Path]) -> list[str]:
    """Kind and place of each secret."""
    secrets = SecretsCollection()
    with transient_settings({"plugins_used": [{"name": name} for name in DETECTORS]}):
        for path in paths:
            secrets.scan_file(str(path))
    return [f"{secret.type} in {place}:{secret.line_number}" for place, secret in secrets]


def test_the_repository_holds_no_secret() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("needs a git checkout, which says what belongs to the repository")
    paths = [ROOT / name for name in listed.stdout.splitlines() if name not in MADE_UP]
    assert len(paths) > 100
    assert found_in([path for path in paths if path.is_file()]) == []


def test_a_planted_secret_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "notes.md"
    planted.write_text("token: xoxb-123456789012-1234567890123-abcdefghijklmnopqrstuvwx\n")
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n")
    kinds = {one.partition(" in ")[0] for one in found_in([planted, key])}
    assert kinds == {"Slack Token", "Private Key"}


def test_a_scan_that_cannot_look_says_so_and_does_not_fail() -> None:
    looked = subprocess.run(
        [sys.executable, "-m", "tests.deployment.scan"],
        cwd=ROOT,
        env={"PATH": "", "HTTPS_PROXY": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert looked.returncode == 0
    assert looked.stderr.startswith("SKIPPED: vulnerabilities were NOT looked for, because ")


def test_the_scan_is_part_of_the_test_command() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "\ntest: $(VENV)/.development check tests scan\n" in makefile
    assert f"-m {scan.__name__}" in makefile
