"""From a word as a person types it to the words of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator

IRREGULAR = {
    "nuclei": "nucleus", "mitochondria": "mitochondrion", "vertebrae": "vertebra",
    "people": "person", "men": "person", "women": "person", "man": "person", "woman": "person",
    "child": "person", "children": "person", "leaves": "leaf", "mice": "mouse",
    "glomeruli": "glomerulus", "axons": "axon", "bacteria": "bacterium", "knives": "knife",
    "buses": "bus", "gases": "gas",
}  # fmt: skip
SYNONYMS = {
    "myelin": ("myelin sheath",), "vessel": ("retinal vessel", "vessel"),
    "blood vessel": ("retinal vessel", "vessel"), "street": ("road",), "highway": ("road",),
    "house": ("house", "building", "roof"), "building": ("building", "roof", "house"),
    "roof": ("roof", "building"), "rooftop": ("roof", "building"),
    "photovoltaic panel": ("solar panel",), "pv panel": ("solar panel",),
    "woods": ("forest", "tree"), "woodland": ("forest",), "automobile": ("car",),
    "vehicle": ("car",), "landslide": ("landslide or debris flow", "landslide scar"),
    "mole": ("skin lesion",), "melanoma": ("skin lesion",), "lesion": ("skin lesion",),
    "tumour": ("brain tumor",), "tumor": ("brain tumor",), "lv": ("left ventricle",),
    "rv": ("right ventricle",), "hippocampus": ("anterior hippocampus",),
    "neuron": ("neuron body",), "neurite": ("neuron body", "neurite"),
    "precipitate": ("secondary precipitate",), "sofa": ("couch",), "bike": ("bicycle",),
    "motorbike": ("motorcycle",), "plane": ("airplane",), "aeroplane": ("airplane",),
    "kitten": ("cat",), "puppy": ("dog",), "human": ("person",), "kidney stone": ("kidney stone",),
    "stone": ("rock", "kidney stone"), "carotid": ("carotid artery lumen",),
    "cell nucleus": ("nucleus",), "fracture": ("crack",),
}  # fmt: skip

STUFF = frozenset({
    "ceiling", "corrosion", "counter", "crack", "crack in oxide", "cracked", "dirt", "flaking",
    "floor", "forest", "grass", "gravel", "gray matter", "landslide or debris flow", "mountain",
    "pavement", "playingfield", "railroad", "retinal vessel", "river", "road", "rock", "sand",
    "scratch", "sea", "sky", "snow", "spalling", "stratigraphic unit 1", "stratigraphic unit 2",
    "stratigraphic unit 3", "stratigraphic unit 4", "stratigraphic unit 5",
    "stratigraphic unit 6", "stratigraphic unit 7", "stratigraphic unit 8",
    "stratigraphic unit 9", "thermally grown oxide layer", "tree", "wall", "wall brick",
    "wall stone", "wall tile", "water", "white matter",
})  # fmt: skip
"""Words for regions that are not counted."""


def normal_form(text: str) -> Iterator[str]:
    """Yield what a typed word may mean, likeliest first: itself, its singular, its synonyms."""
    plain = " ".join(text.lower().split())
    *lead, last = plain.split() or [""]
    for form in dict.fromkeys((plain, *(" ".join([*lead, s]) for s in _singulars(last)))):
        yield form
        yield from SYNONYMS.get(form, ())


def _singulars(word: str) -> Iterator[str]:
    if word in IRREGULAR:
        yield IRREGULAR[word]
    if word.endswith("ies"):
        yield word[:-3] + "y"
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
