"""The plugin's page in napari's Preferences."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...embeddings import DEFAULT_BYTES, DEFAULT_DISK_BYTES
from ...embeddings.cluster import check_address
from ...errors import ClusterTrouble
from ...io.zarr.label_store import default_home
from ...viewer.label_layers.targets import HOME
from ...viewer.private import unwrap
from .actions import EVERY_ACTION, PRESETS, keys_of

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.utils.events import EventedModel

PLUGIN = "napari-seem"
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Preferences:
    """What the person chose: keys by method, device, and bytes for embeddings.

    `disk_folder` and `labels_folder` are empty for the default ones. `get_ready` is to load the
    model, and encode what is shown, before the first click. `steer` is to let accepted objects
    steer the next one. `scheduler` is the address of a cluster that encodes, or empty;
    `certificates` are its CA, certificate and key files, all or none. `complaints` tells what was
    wrong there; keys keep their former meaning then.
    """

    keys: dict[str, str] = field(default_factory=lambda: keys_of(PRESETS[0]))
    device: str = "auto"
    cache_bytes: int = DEFAULT_BYTES
    keep_on_disk: bool = True
    disk_bytes: int = DEFAULT_DISK_BYTES
    disk_folder: str = ""
    labels_folder: str = ""
    get_ready: bool = True
    steer: bool = True
    scheduler: str = ""
    certificates: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()


def plugin_page() -> EventedModel | None:
    """The page's settings, or None where napari has none (older, or plugin not installed)."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    try:
        return getattr(get_plugin_settings(PLUGIN), "annotate", None)
    except (KeyError, ValueError, AttributeError):
        return None


def read_preferences() -> Preferences:
    """Read the page; defaults where there is none."""
    page = plugin_page()
    if page is None:
        return Preferences()
    keys, complaints = keys_of(page.key_preset), []
    for action in EVERY_ACTION:
        own = str(getattr(page, f"key_{action.method}", "")).strip()
        if own and not is_key(own):
            complaints.append(
                f"'{own}' in the preferences is no key for \"{action.title}\"; type one such as "
                f"G, Shift-G or F5. '{keys[action.method]}' is used"
            )
        elif own:
            keys[action.method] = own
    scheduler, certificates, trouble = _cluster(page)
    complaints += trouble
    return Preferences(
        keys, page.device, int(page.cache_megabytes) * MEGABYTE, bool(page.keep_on_disk),
        int(page.disk_megabytes) * MEGABYTE, str(page.disk_folder).strip(),
        str(page.labels_folder).strip(), bool(page.get_ready), bool(page.steer), scheduler,
        certificates, (*complaints, *_twice(keys)),
    )  # fmt: skip


def keep_preference(name: str, value: object) -> None:
    """Change a setting of the page, which napari keeps, where there is a page."""
    page = plugin_page()
    if page is not None and getattr(page, name) != value:
        setattr(page, name, value)


def label_home(image: Image) -> Path:
    """The folder for labels of an image that lie on disk: chosen for it, preferred, or usual."""
    chosen, preferred = unwrap(image).metadata.get(HOME), read_preferences().labels_folder
    return Path(chosen or preferred or default_home())


def _cluster(page: EventedModel) -> tuple[str, tuple[str, ...], list[str]]:
    """Address and certificate files of the cluster, and what is wrong with them."""
    address = str(getattr(page, "scheduler", "")).strip()
    files = tuple(str(getattr(page, f"tls_{name}", "")).strip() for name in ("ca", "cert", "key"))
    if not address:
        return "", (), []
    try:
        check_address(address)
    except ClusterTrouble as error:
        return "", (), [f"{error}. Images are encoded here"]
    if any(files) and not all(files):
        return (
            "",
            (),
            [
                "of the cluster's certificate files in the preferences one is missing; give all "
                "three. Images are encoded here"
            ],
        )
    return address, files if all(files) else (), []


def is_key(text: str) -> bool:
    """Whether napari can bind it: one key, perhaps with modifiers."""
    from napari.utils.key_bindings import coerce_keybinding

    try:
        binding = coerce_keybinding(text)
    except (ValueError, TypeError, KeyError):
        return False
    return len(binding.parts) == 1 and bool(str(binding))


def _twice(keys: dict[str, str]) -> list[str]:
    titles: dict[str, list[str]] = {}
    for action in EVERY_ACTION:
        titles.setdefault(keys[action.method].lower(), []).append(action.title)
    return [
        f"the key {key.upper()} has several meanings ({', '.join(several)}); change it in the "
        "preferences"
        for key, several in titles.items()
        if len(several) > 1
    ]
