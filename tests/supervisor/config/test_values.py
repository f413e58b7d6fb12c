"""supervisor/config/values.py: what a value may be, typed or as text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.schema import KEYS, Key
from supervisor.config.values import Unfit, checked, read

HERE = Path("/here")

WHOLE, SECONDS, SWITCH, WORD, TEXT, PATH = (
    KEYS[name]
    for name in (
        "state.backups_kept",
        "supervisor.heartbeat_s",
        "chaos.enabled",
        "state.durability",
        "log.debug",
        "state.path",
    )
)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (WHOLE, 5.0),
        (WHOLE, True),
        (WHOLE, "5"),
        (WHOLE, None),
        (WHOLE, [5]),
        (WHOLE, 0),
        (WHOLE, 10**9),
        (SECONDS, True),
        (SECONDS, "1"),
        (SECONDS, float("nan")),
        (SECONDS, float("inf")),
        (SECONDS, 0),
        (SWITCH, 1),
        (SWITCH, "true"),
        (WORD, "sometimes"),
        (WORD, ""),
        (WORD, 1),
        (TEXT, 1),
        (TEXT, {}),
        (PATH, ""),
        (PATH, "a\0b"),
        (PATH, "~no-such-user-as-this/x"),
        (PATH, 1),
    ],
)
def test_a_value_of_another_type_or_out_of_bounds_is_refused(key: Key, value: object) -> None:
    with pytest.raises(Unfit):
        checked(key, value, HERE)


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        (WHOLE, 5, 5),
        (SECONDS, 2, 2.0),
        (SECONDS, 0.5, 0.5),
        (SWITCH, False, False),
        (WORD, "none", "none"),
        (PATH, "x", Path("/here/x")),
        (PATH, Path("/x"), Path("/x")),
    ],
)
def test_a_fitting_value_is_kept(key: Key, value: object, kept: object) -> None:
    found = checked(key, value, HERE)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("key", "text", "kept"),
    [
        (WHOLE, "5", 5),
        (SECONDS, "1e-1", 0.1),
        (SWITCH, "True", True),
        (SWITCH, "0", False),
        (TEXT, "5", "5"),
        (WORD, "interval", "interval"),
    ],
)
def test_text_is_read_as_the_declared_type(key: Key, text: str, kept: object) -> None:
    assert read(key, text, HERE) == kept


@pytest.mark.parametrize(
    ("key", "text"),
    [(WHOLE, "1.5"), (WHOLE, ""), (WHOLE, "9" * 5000), (SECONDS, "nan"), (SWITCH, "yess"), (TEXT, "\udcff")],
)
def test_text_that_cannot_be_read_is_refused(key: Key, text: str) -> None:
    with pytest.raises(Unfit) as caught:
        read(key, text, HERE)
    assert len(str(caught.value)) < 200


@given(st.sampled_from(sorted(KEYS)), st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.binary()))
def test_nothing_but_unfit_is_ever_raised(name: str, value: object) -> None:
    for convert in (checked, read) if isinstance(value, str) else (checked,):
        try:
            convert(KEYS[name], value, HERE)  # type: ignore[arg-type] # anything is the point
        except Unfit as error:
            assert str(error)  # noqa: PT017 - raising it is allowed, not required


def test_a_list_of_texts_is_taken_as_it_is_and_read_as_words() -> None:
    key = KEYS["alerts.command"]
    assert checked(key, ["page", "me now"], HERE) == ("page", "me now")
    assert read(key, "page 'me now'", HERE) == ("page", "me now")
    assert read(key, "", HERE) == ()


@pytest.mark.parametrize("value", ["page", [1], [""], ["a\0b"], {"page": "me"}], ids=repr)
def test_what_is_no_list_of_texts_is_refused(value: object) -> None:
    with pytest.raises(Unfit, match="a list of texts"):
        checked(KEYS["alerts.command"], value, HERE)


def test_a_path_that_may_be_missing_is_missing_when_it_is_empty() -> None:
    key = KEYS["state.fallback_path"]
    assert checked(key, "", HERE) is None
    assert read(key, "", HERE) is None
    assert read(key, "beside", HERE) == HERE / "beside"
