"""What the plugin tells napari of itself."""

from __future__ import annotations

from importlib.resources import files

import yaml
from npe2 import PluginManifest

from napari_seem.widgets._shared.actions import EVERY_ACTION, PRESETS, keys_of
from napari_seem.widgets._shared.preferences import is_key
from napari_seem.widgets.find.dock import KEYS as FIND_KEYS
from napari_seem.widgets.stack.dock import KEYS as STACK_KEYS

TAKEN = {*"1234567EPFLZMXB-=[]SADRTICVYO", "Shift-A", "Shift-L", "Shift-P", "Shift-V"}
"""Single keys that napari 0.9 binds on some layer, or on the viewer."""


def page():
    manifest = yaml.safe_load(files("napari_seem").joinpath("napari.yaml").read_text())
    return manifest["contributions"]["configurations"]["annotate"]["properties"]


def test_the_preferences_show_the_key_of_every_action():
    properties = page()
    for action in EVERY_ACTION:
        title = properties[f"key_{action.method}"]["title"]
        assert f"({action.key}" in title
        assert action.micro_sam in title
        assert action.left in title
    assert properties["key_preset"]["enum"] == list(PRESETS)


def test_every_action_has_a_key_of_its_own_in_each_set():
    for preset in PRESETS:
        keys = keys_of(preset)
        assert len(set(keys.values())) == len(EVERY_ACTION)
        assert all(is_key(key) for key in keys.values())
    for preset in ("napari-seem", "left hand"):
        assert not TAKEN & set(keys_of(preset).values())


def test_no_two_docks_want_the_same_key():
    others = {*STACK_KEYS.values(), *FIND_KEYS.values()}
    for preset in PRESETS:
        assert not others & set(keys_of(preset).values())


def test_commands_and_samples_can_be_imported():
    manifest = PluginManifest.from_distribution("napari-seem")
    manifest.validate_imports()
    samples = {sample.command for sample in manifest.contributions.sample_data}
    assert samples <= {command.id for command in manifest.contributions.commands}
