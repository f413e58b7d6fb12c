"""supervisor/masking.py: what is hidden, and what stays readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.masking import looks_secret, mask, mask_text


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_API_KEY", "apiKey", "github_token", "client-secret", "PGPASSWORD", "aws_credentials", "Cookie"]
)
def test_a_secret_name_is_recognised_however_it_is_written(name: str) -> None:
    assert looks_secret(name)
    assert mask({name: "hunter2"}) == {name: "***"}


def test_everything_textual_below_a_secret_name_is_hidden_and_numbers_stay() -> None:
    given_value = {"credentials": {"user": "u", "parts": ["a", 5]}, "max_tokens": 4096, "token": ""}
    assert mask(given_value) == {"credentials": {"user": "***", "parts": ["***", 5]}, "max_tokens": 4096, "token": ""}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("OPENAI_API_KEY=sk-1 codex exec", "OPENAI_API_KEY=*** codex exec"),
        ('password = "a b", user = "u"', 'password = ***, user = "u"'),
        ('{"api_key": "sk-1", "n": 1}', '{"api_key": ***, "n": 1}'),
        ("https://x/?token=abc&page=2", "https://x/?token=***&page=2"),
        ("no such key: foo", "no such key: foo"),
        ("a == b", "a == b"),
    ],
)
def test_a_pair_within_a_text_keeps_its_name_and_loses_its_value(text: str, shown: str) -> None:
    assert mask_text(text) == shown


def test_what_follows_a_secret_option_of_a_command_line_is_hidden() -> None:
    argv = ["agent", "--api-key", "sk-1", "--token=abc", "--verbose", "go"]
    assert mask({"argv": argv}) == {"argv": ["agent", "--api-key", "***", "--token=***", "--verbose", "go"]}


def test_the_value_given_is_not_changed() -> None:
    value = {"a": [{"token": "t"}]}
    mask(value)
    assert value == {"a": [{"token": "t"}]}


@given(st.text(alphabet="keytokn=._- \"'", max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(mask_text(text), str)


def test_a_hostile_text_is_masked_in_time_that_grows_with_its_length_only() -> None:
    assert mask_text("key" * 200_000) == "key" * 200_000
    assert mask_text("key=" * 100_000).startswith("key=***")
