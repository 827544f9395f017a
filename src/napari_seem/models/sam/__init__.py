"""SAM, SAM 2.1 and their children: micro-sam, MedSAM and fine-tunes, behind the project's door.

The networks are those of transformers (extra `sam`); weights are the authors' state dicts.
"""
