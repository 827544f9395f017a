"""What is published: the wheel, the sdist, and what says who made them and where they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import address
import pytest
import yaml
from run_workflow import jobs
from version import version

import napari_seem
from napari_seem.cli import parsers

ROOT = Path(__file__).resolve().parents[1]
ABOUT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, BUILD = ABOUT["project"], ABOUT["build-system"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LARGEST = 40_000_000
"""Bytes of an sdist: the weights, and the pictures of the pages."""
CONDA = {"pytorch": "torch", "dask-core": "dask"}
"""Packages that have another name on conda-forge."""


def tracked(*folders: str) -> set[str]:
    """The files of the checkout that git knows, in some folders."""
    command = ["git", "ls-files", "--", *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no checkout")
    return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}


def build(kind: str, source: Path, target: Path) -> Path:
    """Build a wheel or an sdist as pip does without a network."""
    pytest.importorskip("hatch_fancy_pypi_readme")
    target.mkdir(exist_ok=True)
    code = f"import hatchling.build as b; print(b.build_{kind}({str(target)!r}))"
    command = [sys.executable, "-c", code]
    hidden = os.environ | {"GIT_DIR": os.devnull}  # the version is no matter of tags
    done = subprocess.run(
        command, cwd=source, capture_output=True, text=True, check=False, env=hidden
    )
    assert done.returncode == 0, done.stderr
    return target / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """Built from the sdist, as conda-forge and pip on rare systems do."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build("wheel", source, folder / "dist")


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == {name.removeprefix("src/") for name in tracked("src")}
    assert {"napari_seem/napari.yaml", "napari_seem/py.typed",
            "napari_seem/models/compact/compact.safetensors"} <= names  # fmt: skip


def test_the_metadata_name_version_pages_and_plugin(wheel):
    with zipfile.ZipFile(wheel) as archive:
        home = next(name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name)
        about = Parser().parsestr(archive.read(f"{home}/METADATA").decode())
        entries = archive.read(f"{home}/entry_points.txt").decode()

    assert about["Version"] == napari_seem.__version__ == version()
    assert about["License-Expression"] == "BSD-3-Clause"
    pages = dict(url.split(", ") for url in about.get_all("Project-URL"))
    assert {"Homepage", "Source", "Documentation", "Issues", "Changes"} <= set(pages)
    links = re.findall(r"\]\(([^)]+)\)", str(about.get_payload()))
    assert links
    assert all(link.startswith("https://") for link in links)
    assert "Framework :: napari" in about.get_all("Classifier")
    assert "[napari.manifest]\nnapari-seem = napari_seem:napari.yaml" in entries


def test_the_sdist_holds_what_a_checkout_has(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    wanted = tracked("src", "tests", "docs", "examples", "tools", "Makefile", "constraints.txt")
    assert wanted - names == set()
    assert not [name for name in names if re.match(r"docs/(_build|gallery|reference)/", name)]
    assert sdist.stat().st_size < LARGEST


def test_the_tag_of_a_release_names_the_version():
    command = [sys.executable, str(ROOT / "tools" / "version.py")]

    assert subprocess.run([*command, f"v{version()}"], check=False).returncode == 0
    other = subprocess.run([*command, "v99"], check=False, capture_output=True, text=True)
    assert other.returncode == 1
    assert "the tag is 99" in other.stderr


def addresses(folder: Path, names: set[str]) -> set[str]:
    """Return every owner and name of this project's repository and site that files name."""
    pattern = r"(?:github|githubusercontent)\.com/([\w.-]+/napari-seem)\b"
    site = r"https://([\w.-]+)\.github\.io/(napari-seem)\b"
    found = set()
    for name in names:
        text = (folder / name).read_text(encoding="utf-8", errors="ignore")
        found |= {*re.findall(pattern, text), *map("/".join, re.findall(site, text))}
    return found


def test_pages_of_the_project_are_named_alike_everywhere():
    assert address.here() == PROJECT["urls"]["Source"].removeprefix("https://github.com/")
    assert addresses(ROOT, tracked(*address.WRITTEN_IN)) == {address.here()}
    others = {name for name in tracked() if not name.endswith((".png", ".gif", ".safetensors"))}
    assert not addresses(ROOT, others - set(address.WRITTEN_IN))


def test_one_step_changes_the_address_everywhere(tmp_path):
    for name in address.WRITTEN_IN:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    owner = "a-lab"
    address.change(f"{owner}/napari-seem", tmp_path)

    assert addresses(tmp_path, set(address.WRITTEN_IN)) == {f"{owner}/napari-seem"}
    about = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert about["urls"]["Documentation"] == f"https://{owner}.github.io/napari-seem"
    assert about["name"] == PROJECT["name"]
    with pytest.raises(SystemExit, match="OWNER/NAME"):
        address.change(owner, tmp_path)


def test_the_conda_recipe_needs_what_the_package_needs():
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    needed = {}
    for requirement in recipe["requirements"]["run"]:
        name, _, bound = requirement.partition(" ")
        needed[CONDA.get(name, name)] = bound
    assert needed.pop("python") == ">=${{ python_min }}"

    wanted = [re.fullmatch(r"([\w-]+)(.*)", line) for line in PROJECT["dependencies"]]
    assert needed == {found[1]: found[2] for found in wanted}
    assert recipe["context"]["version"] == version()
    assert f">={recipe['context']['python_min']}" == PROJECT["requires-python"]
    built_with = set(recipe["requirements"]["host"]) - {"python ${{ python_min }}.*", "pip"}
    assert built_with == set(BUILD["requires"])


def test_the_conda_recipe_is_of_this_package():
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    about = recipe["about"]
    assert recipe["package"]["name"] == PROJECT["name"]
    assert about["license"] == PROJECT["license"]
    assert [about["license_file"]] == PROJECT["license-files"]
    assert about["homepage"] == PROJECT["urls"]["Homepage"]
    assert about["documentation"] == PROJECT["urls"]["Documentation"]
    programs = dict(entry.split(" = ") for entry in recipe["build"]["python"]["entry_points"])
    assert programs == PROJECT["scripts"]
    commands = [line.split() for test in recipe["tests"] for line in test.get("script", ())]
    assert commands
    assert all(name in programs and command in parsers() for name, command in commands)


def test_the_workflows_test_what_the_package_says_it_runs_on():
    (ci,) = [path for path in WORKFLOWS if path.stem == "ci"]
    matrix = yaml.safe_load(ci.read_text())["jobs"]["test"]["strategy"]["matrix"]
    said = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]

    assert matrix["python"] == said
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_the_steps_of_the_workflows_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    steps = [text for path in WORKFLOWS for _, job in jobs(path) for _, text in job]
    text = "\n".join(steps)

    assert set(re.findall(r"\bmake ([\w-]+)", text)) - targets == set()
    assert [name for name in re.findall(r"tools/[\w.-]+", text) if not (ROOT / name).exists()] == []
    assert "${{" not in text.replace("${{ github", "")


def test_the_docks_are_tested_apart_as_by_make():
    """napari's windows never give all their memory back."""
    (ci,) = [path for path in WORKFLOWS if path.stem == "ci"]
    docks = re.search(r"^DOCKS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    steps = {step.get("name"): step.get("run", "") for step in
             yaml.safe_load(ci.read_text(encoding="utf-8"))["jobs"]["test"]["steps"]}  # fmt: skip
    apart = set(re.findall(r"tests/\w+", steps["Test the docks"]))

    assert apart == set(docks[1].split())
    assert set(re.findall(r"--ignore=(\S+)", steps["Test all but the docks"])) == {
        *apart, "tests/torture",
    }  # fmt: skip


def test_forms_ask_for_the_facts_and_the_log():
    form = (ROOT / ".github" / "ISSUE_TEMPLATE" / "problem.yml").read_text(encoding="utf-8")
    fields = {field["id"]: field for field in yaml.safe_load(form)["body"]}

    assert fields["info"]["validations"]["required"]
    assert "log.jsonl" in fields["log"]["attributes"]["description"]


@pytest.mark.parametrize("chosen", [None, "300000"])
def test_threads_that_wait_sleep_soon_unless_a_person_chose_otherwise(chosen):
    environment = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}
    if chosen:
        environment["GOMP_SPINCOUNT"] = chosen
    code = (
        "import sys, os, napari_seem; assert 'torch' not in sys.modules; "
        "print(os.environ['GOMP_SPINCOUNT'])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=True
    )
    assert said.stdout.strip() == (chosen or "2000")
