import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.dataset.redact import Redactor

JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0."
    "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nq9Zb\n-----END RSA PRIVATE KEY-----"


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor("DE")


@pytest.mark.parametrize(
    ("text", "private", "kind"),
    [
        ("use AKIAQ7HZ5BX3TR2M4NKP for the bucket", "AKIAQ7HZ5BX3TR2M4NKP", "secret"),
        ("it is xoxb-123456789012-1234567890123-AbCdEfGhIjKl", "AbCdEf", "secret"),
        ("and xapp-1-A0B1C2D3E4F-1234567890123-abcdef01", "A0B1C2D3E4F", "secret"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "mnopqrst", "secret"),
        ("clone https://bob:s3cretpw@git.example.com/x", "s3cretpw", "secret"),
        (f"header: Bearer {JWT}", "dozjgNryP4J3", "secret"),
        (f"the key\n{KEY}\nends", "q9Zb", "secret"),
        ("The wifi password is Tr0ub4dor&3, ask Bob", "Tr0ub4dor", "secret"),
        ("The door's PIN is 4711.", "4711", "secret"),
        ('api_key = "9f8a7b6c5d4e3f2a"', "9f8a7b", "secret"),
        ("send 9f8a7b6c5d4e3f2a1b0c9d8e7f6a along", "9f8a7b6c", "secret"),
        ("write to bob.smith+x@mail.example.co.uk.", "smith", "e-mail"),
        ("call +49 30 901820 or 030 901820", "901820", "phone"),
        ("pay to DE89 3704 0044 0532 0130 00 please", "0044", "IBAN"),
        ("pay to GB33BUKB20201555555555", "BUKB", "IBAN"),
        ("with card 4111 1111 1111 1111.", "1111", "card number"),
    ],
)
def test_what_is_private_is_replaced_by_its_kind(
    redactor: Redactor, text: str, private: str, kind: str
) -> None:
    redacted = redactor.redact(text)
    assert private not in redacted
    assert f"[{kind}]" in redacted
    assert redactor.redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "Meals are paid up to 45 EUR a day [1]. See INC-2291 [2, 3] of 2026-11-20.",
        "Change your password every 90 days. Passwords: at least 12 characters.",
        "Secret: no. The token is issued by facilities.",
        "Order 1234567890123456 has no valid check digit, nor has DE00 1234 5678 9012 3456 78.",
        "Read handbook/people/expenses.md and quarterly-report-2026-final-version-two.",
        '<passage number="1" title="VPN › Setup" updated="2026-03-01">\ntext\n</passage>',
        "NOTHING FOUND",
    ],
)
def test_what_is_not_private_stays_as_it_is(redactor: Redactor, text: str) -> None:
    assert redactor.redact(text) == text


def test_what_surrounds_a_find_stays(redactor: Redactor) -> None:
    assert redactor.redact("Mail a@b.example, then wait.") == "Mail [e-mail], then wait."


def test_local_phone_numbers_need_their_country() -> None:
    assert Redactor().redact("call 030 901820") == "call 030 901820"


def test_finds_are_counted_once_a_text() -> None:
    redactor = Redactor()
    for _ in range(2):
        redactor.redact("a@b.example and c@d.example")
    redactor.redact("e@f.example")
    assert redactor.found == {"e-mail": 3}


@settings(max_examples=60, deadline=None)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_an_address_is_found_whatever_stands_around_it(before: str, after: str) -> None:
    redacted = Redactor().redact(f"{before} jane.doe@example.com {after}")
    assert "jane.doe" not in redacted
