"""Secrets in the server's text are taken out; what is no secret stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.connector.redact import Secrets, scrub, scrub_row

SECRET = "S3cr3tV4lue"


@pytest.mark.parametrize(
    "text",
    [
        f"BACKUP INTO 's3://bucket/path?AWS_ACCESS_KEY_ID=x&AWS_SECRET_ACCESS_KEY={SECRET}'",
        f"s3://{SECRET}/path",
        f"azure-blob://container?AZURE_ACCOUNT_KEY={SECRET}&AZURE_ACCOUNT_NAME=x",
        f"https://account.blob.core.windows.net/c?sv=2020&sig={SECRET}",
        f"https://user:{SECRET}@host/path",
        f"postgresql://root:{SECRET}@host:26257/db",
        f"gs://bucket?CREDENTIALS={SECRET}",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"AWS_SESSION_TOKEN = {SECRET}, more",
        f"AZURE_ACCOUNT_KEY={SECRET}",
        f"WITH encryption_passphrase = '{SECRET}'",
        f"WITH encryption_passphrase='it''s {SECRET}'",
        f"CREATE USER x WITH PASSWORD '{SECRET}'",
        f'{{"password": "{SECRET}"}}',
        f"password={SECRET} host=x",
        f"sslpassword={SECRET}",
        f"sig={SECRET}",
        f"license crl-0-{SECRET}",
        f"webhook-https://x/{SECRET}",
    ],
)
def test_no_secret_stays(text: str) -> None:
    assert SECRET not in scrub(text)
    assert "<redacted>" in scrub(text)
    assert scrub(scrub(text)) == scrub(text)


def test_a_key_id_goes_too() -> None:
    assert "AKIA" not in scrub("key AKIAIOSFODNN7EXAMPLE was refused")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "21.2",
        "v21.1.11",
        "region=us-east1,zone=b",
        "2026-11-22 02:00:00+00:00",
        'password authentication failed for user "root"',
        "only users with the admin role are allowed to read crdb_internal.gossip_nodes",
        "user low does not have VIEWCLUSTERMETADATA system privilege",
        "no allowed privileges found for system object with ID=37",
        "see https://go.crdb.dev/issue-v/54252/v22.1 for more",
        'unrecognized configuration parameter "allow_unsafe_internals"',
        "10.0.0.1:26257",
        "nightly",
        "1795312605.794133715,0",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


@given(st.text(max_size=200))
def test_any_text_can_be_scrubbed(text: str) -> None:
    assert scrub(scrub(text)) == scrub(text)


def test_a_row() -> None:
    assert scrub_row({"a": None, "b": "password=x", "c": ""}) == {
        "a": None,
        "b": "password=<redacted>",
        "c": "",
    }


@pytest.mark.parametrize(
    ("secret", "text", "left"),
    [
        (SECRET, f"a {SECRET} b{SECRET}", "a <redacted> b<redacted>"),
        ("abc", "abc", "abc"),
        ("root", "root", "root"),
        ("2026", "2026-12-01 10:00:00+00", "2026-12-01 10:00:00+00"),
        ("2026", "pin 2026", "pin <redacted>"),
        ("12345678", "12345678", "<redacted>"),
    ],
)
def test_the_words_of_the_login(secret: str, text: str, left: str) -> None:
    assert Secrets([secret], printed=["root"]).out_of(text) == left


def test_a_secret_within_another_one() -> None:
    assert Secrets(["word", "passwords"]).out_of("passwords, word") == "<redacted>, <redacted>"
