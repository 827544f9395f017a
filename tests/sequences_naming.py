"""What a person does with names, classes and whole objects, as part of random sequences."""

from __future__ import annotations

from dataclasses import replace

from napari_seem.commands import names

CLASSES = ("cell", "nucleus", "vein", "Cell", "a b")
COLOURS = ("#102030", "#a0b0c0", "#ff0000", "#00ff00")


class Naming:
    """Commands of names; see `sequences.Sequence`."""

    def do_rename_object(self):
        label_id = self.some_id()
        if label_id is None:
            return False
        name, old = self.some_name(), self.oracle.row(label_id)
        self.say(label_id, name)
        names.RenameObject(label_id=label_id, name=name).apply(self.document, self.counted())
        row = replace(old, name=name, concept=old.class_name)
        return name == old.name or self.oracle.become(rows={**self.oracle.rows, label_id: row})

    def do_move(self):
        ids, to = self.some_ids(), str(self.rng.choice(CLASSES))
        if not ids:
            return False
        self.say(ids, to)
        names.MoveToClass(ids=ids, name=to).apply(self.document, self.counted())
        return self.oracle.become(rows=self.oracle.moved(ids, to)) or True

    def do_rename_class(self):
        classes, oracle = self.oracle.classes(), self.oracle
        if not classes:
            return False
        old, to = str(self.rng.choice(list(classes))), str(self.rng.choice([*CLASSES, "new"]))
        self.say(repr(old), to)
        names.RenameClass(old=old, new=to).apply(self.document, self.counted())
        colours = dict(oracle.colours)
        if to not in classes and old in colours:
            colours[to] = colours.pop(old)
        return (
            oracle.become(None, oracle.moved(classes[old] if old != to else [], to), colours)
            or True
        )

    def do_merge_classes(self):
        classes = self.oracle.classes()
        if len(classes) < 2:
            return False
        chosen = [str(n) for n in self.rng.choice(list(classes), 2, replace=False)]
        into = max((n for n in chosen if n), key=lambda n: len(classes[n]))
        self.say(chosen, into)
        names.MergeClasses(names=chosen).apply(self.document, self.counted())
        ids = [i for n in chosen if n != into for i in classes[n]]
        return self.oracle.become(rows=self.oracle.moved(ids, into)) or True

    def do_recolour(self):
        name = next((n for n in self.oracle.classes() if n), None)
        colour = str(self.rng.choice(COLOURS))
        if name is None:
            return False
        self.say(name, colour)
        names.Recolour(names=[name], colour=colour).apply(self.document, self.counted())
        return self.oracle.become(colours={**self.oracle.colours, name: colour}) or True

    def do_merge(self):
        ids = self.some_ids()
        if len(ids) < 2:
            return False
        self.say(ids)
        names.MergeObjects(ids=ids).apply(self.document, self.counted())
        return self.oracle.become(*self.oracle.merged(ids))

    def do_delete(self):
        ids = self.some_ids()
        if not ids:
            return False
        self.say(ids)
        names.DeleteObjects(ids=ids).apply(self.document, self.counted())
        return self.oracle.become(*self.oracle.deleted(ids))

    def do_delete_class(self):
        classes = self.oracle.classes()
        if not classes or self.rng.random() < 0.5:
            return False
        name = str(self.rng.choice(list(classes)))
        self.say(repr(name))
        names.DeleteClasses(names=[name]).apply(self.document, self.counted())
        return self.oracle.become(*self.oracle.deleted(classes[name]))

    def some_name(self) -> str:
        """A name for an object."""
        return str(self.rng.choice([*CLASSES, "left one", "7"]))
