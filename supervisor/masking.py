"""
Secrets are not shown: not in the log, not in `status`, not in `config show`.

What is masked is text: the whole value where the name beside it looks secret, what follows an option of such a name in
a list (`["--api-key", "sk-1"]`), and the right side of `NAME=value` or `"name": "value"` within any text. Numbers stay:
`max_tokens` is no secret.
"""

import re
from collections.abc import Mapping

MASK = "***"

_WORDS = "key|token|secret|passw|passphrase|credential|authorization|cookie"
_SECRET = re.compile(_WORDS, re.IGNORECASE)
_PAIR = re.compile(
    # The lengths are bounded so that a hostile text costs no more than its length.
    rf"""(?<![\w.-])(?P<name>[\w.-]{{0,64}}?(?:{_WORDS})[\w.-]{{0,64}})
         (?P<sign>\s?=\s?|["']\s?:\s?)
         (?P<value>"[^"]*"|'[^']*'|[^\s,;&"'}}\]]+)""",
    re.IGNORECASE | re.VERBOSE,
)


def looks_secret(name: str) -> bool:
    """Whether a value of this name is not for showing."""
    return _SECRET.search(name) is not None


def mask(value: object) -> object:
    """A copy of `value`, of mappings, lists, tuples and scalars, with every secret text replaced by `***`."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {
            name: _hidden(inner) if isinstance(name, str) and looks_secret(name) else mask(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        befores = (None, *value)
        return [
            _hidden(inner) if _names_secret(before) else mask(inner)
            for before, inner in zip(befores, value, strict=False)
        ]
    return value


def mask_text(text: str) -> str:
    """`text` with the right side of every pair of name and value replaced whose name looks secret."""
    if _SECRET.search(text) is None:
        return text
    return _PAIR.sub(lambda found: f"{found['name']}{found['sign']}{MASK}", text)


def _names_secret(argument: object) -> bool:
    """Whether this argument of a command line says that the next one is a secret."""
    return isinstance(argument, str) and argument.startswith("-") and "=" not in argument and looks_secret(argument)


def _hidden(value: object) -> object:
    """Everything textual below a secret name is replaced; an empty text shows that nothing was set."""
    if isinstance(value, str | bytes):
        return MASK if value else value
    if isinstance(value, Mapping):
        return {name: _hidden(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    return value
