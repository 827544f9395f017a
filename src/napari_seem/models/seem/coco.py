"""The 133 classes of COCO panoptic, in which the published SEEM figures are given."""

from __future__ import annotations

THINGS = tuple(
    """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light,
    fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant,
    bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard,
    sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle,
    wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot,
    hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
    mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock,
    vase, scissors, teddy bear, hair drier, toothbrush""".replace("\n    ", " ").split(", ")
)
STUFF = tuple(
    """banner, blanket, bridge, cardboard, counter, curtain, door-stuff, floor-wood, flower, fruit,
    gravel, house, light, mirror-stuff, net, pillow, platform, playingfield, railroad, river, road,
    roof, sand, sea, shelf, snow, stairs, tent, towel, wall-brick, wall-stone, wall-tile, wall-wood,
    water-other, window-blind, window-other, tree-merged, fence-merged, ceiling-merged,
    sky-other-merged, cabinet-merged, table-merged, floor-other-merged, pavement-merged,
    mountain-merged, grass-merged, dirt-merged, paper-merged, food-other-merged,
    building-other-merged, rock-merged, wall-other-merged, rug-merged""".replace(
        "\n    ", " "
    ).split(", ")
)
NAMES = THINGS + STUFF
