"""CLIP's byte-pair tokenizer, from its published vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import InvalidPrompt, WeightsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as BytePairs

START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""Pattern of a word: contractions, runs of letters, single digits, runs of anything else."""
SITE = "https://huggingface.co/openai/clip-vit-base-patch32"
VOCABULARY, MERGES = "vocab.json", "merges.txt"


class Tokenizer:
    """Sentences to token ids.

    The files are read at the first sentence, so that a model works without them as long as no word
    is given.

    Parameters
    ----------
    folders : sequence of Path
        Folders that may hold `vocab.json` and `merges.txt`, in order of preference.
    length : int
        Tokens of the longest sentence, start and end included.
    """

    def __init__(self, folders: Sequence[Path], length: int = 77) -> None:
        self.folders = tuple(folders)
        self.length = length

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Return the ids (B, N) of sentences, from start to end token, padded with the end token.

        Raises
        ------
        InvalidPrompt
            A sentence is empty or longer than `length` tokens.
        WeightsError
            The vocabulary files or the package that reads them are missing.
        """
        start, end = (self._pairs.token_to_id(token) for token in (START, END))
        rows = []
        for sentence in sentences:
            if not sentence.strip():
                raise InvalidPrompt("the text is empty; type a word such as 'dog'")
            ids = self._pairs.encode(sentence).ids
            if len(ids) + 2 > self.length:
                raise InvalidPrompt(
                    f"the text '{sentence[:40]}...' has {len(ids)} tokens and SEEM reads at most "
                    f"{self.length - 2}; say it in fewer words"
                )
            rows.append([start, *ids, end])
        longest = max(map(len, rows))
        return torch.tensor([row + [end] * (longest - len(row)) for row in rows])

    @cached_property
    def _pairs(self) -> BytePairs:
        try:
            from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
        except ImportError as error:
            raise WeightsError(
                "words need the package 'tokenizers'; install it with: pip install tokenizers"
            ) from error
        vocabulary, merges = self._find(VOCABULARY), self._find(MERGES)
        try:
            pairs = models.BPE.from_file(
                str(vocabulary), str(merges), end_of_word_suffix="</w>", unk_token=END
            )
        except Exception as error:
            raise WeightsError(
                f"{vocabulary} and {merges} are not a byte-pair vocabulary ({error}); delete them "
                "and download them again"
            ) from error
        tokenizer = Tokenizer(pairs)
        tokenizer.normalizer = normalizers.Sequence(
            [
                normalizers.NFC(),
                normalizers.Replace(Regex(r"\s+"), " "),
                normalizers.Lowercase(),
            ]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        return tokenizer

    def _find(self, filename: str) -> Path:
        for folder in self.folders:
            if (folder / filename).is_file():
                return folder / filename
        places = " or ".join(str(folder / filename) for folder in self.folders)
        raise WeightsError(
            f"words need the file {filename} of {SITE}, which is missing; download it "
            f"and put it at {places} (strokes, boxes and reference regions work without it)"
        )
