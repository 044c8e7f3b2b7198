"""Settings: where they come from, what is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from server.config import SETTINGS, ConfigurationError, Settings, load_settings, server_secret


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings({"XIANGTU_DATA": str(tmp_path)})
    for setting in SETTINGS:
        assert getattr(settings, setting.name) == setting.default


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "xiangtu.toml").write_text('port = 9000\nlanguage = "en"\n')
    settings = load_settings({"XIANGTU_DATA": str(tmp_path), "XIANGTU_PORT": "9001"})
    assert (settings.port, settings.language) == (9001, "en")


@pytest.mark.parametrize(
    ("toml", "env", "words"),
    [
        ("prot = 1", {}, "prot"),
        ("port = ", {}, "xiangtu.toml"),
        ("", {"XIANGTU_PORT": "eighty"}, "XIANGTU_PORT"),
        ("", {"XIANGTU_WORKERS": "0"}, "XIANGTU_WORKERS"),
        ("", {"XIANGTU_DEMO": "perhaps"}, "XIANGTU_DEMO"),
        ("", {"XIANGTU_LANGUAGE": "fr"}, "zh or en"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, toml: str, env: dict[str, str], words: str) -> None:
    (tmp_path / "xiangtu.toml").write_text(toml)
    with pytest.raises(ConfigurationError, match=words):
        load_settings({"XIANGTU_DATA": str(tmp_path), **env})


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"port": 80, "host": "10.0.0.5"}, "http://10.0.0.5"),
        ({"public_url": "https://x.gov.cn/"}, "https://x.gov.cn"),
        ({"host": "::1"}, "http://[::1]:8080"),
    ],
)
def test_the_address_phones_use(tmp_path: Path, changes: dict[str, object], origin: str) -> None:
    assert Settings(data_dir=tmp_path, **changes).server_origin() == origin  # type: ignore[arg-type]


def test_the_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    first = server_secret(settings)
    assert len(first) == 32
    assert server_secret(settings) == first
    assert stat.S_IMODE(settings.secret_file.stat().st_mode) == 0o600
