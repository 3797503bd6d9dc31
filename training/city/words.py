"""What annotators call a vehicle: names of colours, types and sizes, and what they take for each other.

A table's entry is a list of alternatives, `name | name ×3`: each with its weight, 1 where none is given. What stands
here is understood by `nlvr.engine.language`: an annotator who means "cargo" writes no bare "truck".
"""

from __future__ import annotations

COLOUR_NAMES = {
    "silver": "silver ×22 | silver color | light silver ×.6 | silver-gray ×.8 | silvery ×.4 | metallic silver ×.7 | "
    "silver colored ×.6",
    "red": "red ×20 | dark red ×2.4 | maroon ×1.8 | burgundy ×.8 | bright red ×.9 | reddish ×.5 | deep red ×.5 | "
    "wine-colored ×.3 | wine red ×.4 | crimson ×.2 | dark-red ×.3",
    "white": "white ×30 | off-white ×.7 | off white ×.3 | bright white ×.3 | white colored ×.5 | pearl white ×.2 | "
    "cream ×.2",
    "brown": "brown ×9 | tan ×3 | beige ×3 | champagne ×1.6 | light brown ×1.4 | dark brown ×1.4 | brownish ×.4 | "
    "bronze ×.4 | champagne-colored ×.3",
    "gold": "gold ×8 | golden ×3 | light gold ×.6 | gold colored ×.8 | metallic gold ×.3",
    "black": "black ×34 | shiny black ×.4 | black colored ×.5 | black color ×.15 | jet black ×.2",
    "gray": "gray ×22 | dark gray ×3 | light gray ×2 | charcoal ×.5 | charcoal gray ×.4 | grayish ×.4 | "
    "lightgray ×.2 | gray color ×.4 | bluish gray ×.3 | metallic gray ×.4 | slate gray ×.15",
    "blue": "blue ×18 | dark blue ×3.4 | light blue ×1.8 | navy ×.5 | navy blue ×1.2 | bright blue ×.7 | bluish ×.3 | "
    "deep blue ×.4 | blue colored ×.4 | dark-blue ×.3",
    "purple": "purple ×10 | dark purple ×2 | light purple ×.7 | violet ×.7 | purplish ×.4 | deep purple ×.4",
    "yellow": "yellow ×14 | bright yellow ×2 | light yellow ×.8 | yellowish ×.3 | mustard yellow ×.3",
    "orange": "orange ×14 | bright orange ×2 | dark orange ×1.2 | orange colored ×.5",
    "green": "green ×12 | dark green ×3.4 | light green ×1.6 | olive green ×.5 | olive ×.4 | bright green ×.7 | "
    "greenish ×.4 | lime green ×.3 | deep green ×.4",
}
KIND_NAMES = {
    "sedan": "sedan ×30 | sedan car ×.4 | 4-door sedan ×.5 | four-door sedan ×.4 | saloon ×.1",
    "suv": "SUV ×30 | crossover ×1.6 | cross over ×.7 | cross-over ×.5 | jeep ×1.6 | SUV car ×.3 | crossover SUV ×.4",
    "pickup": "pickup truck ×16 | pickup ×8 | truck ×5 | pick up truck ×3 | pick-up truck ×1.6 | pick-up ×1 | "
    "pick up ×.5 | crew cab pickup ×.3 | crew cab truck ×.15",
    "van": "van ×18 | minivan ×4 | mini van ×.5 | passenger van ×.5 | cargo van ×.5 | delivery van ×.4 | work van ×.3",
    "cargo": "cargo truck ×8 | box truck ×5 | delivery truck ×2 | semi truck ×.8 | freight truck ×.4 | lorry ×.4 | "
    "moving truck ×.6 | commercial truck ×.5 | transport truck ×.4 | box cargo truck ×.3 | flatbed truck ×.3 | "
    "cargo vehicle ×.5",
    "bus": "bus ×18 | city bus ×2 | passenger bus ×1.2 | transit bus ×.8 | shuttle bus ×.6 | public bus ×.5",
    "wagon": "wagon ×10 | station wagon ×5 | wagon car ×.3 | estate car ×.3 | estate ×.15",
    "mpv": "MPV ×10 | multi-purpose vehicle ×.5 | MPV car ×.4 | people carrier ×.3",
    "hatchback": "hatchback ×20 | hatchback car ×.7 | hatch back ×.6 | 5-door hatchback ×.3",
    "coupe": "coupe ×14 | sports car ×2 | sport car ×.7 | coupe car ×.4 | two-door coupe ×.7 | 2-door coupe ×.4 | "
    "sports coupe ×.5",
}
# Said of one colour alone.
SPECIAL_NAMES = {("yellow", "bus"): "school bus", ("yellow", "sedan"): "taxi | cab ×.6 | taxi cab ×.3"}
SIZES = {
    "sedan": "small ×3 | midsize ×3 | mid-size | mid-sized ×.6 | compact | small-sized ×.5 | full-size ×.6 | large ×.4",
    "suv": "large ×5 | big ×2 | small ×2 | midsize | full-size | compact ×.6 | massive ×.2",
    "pickup": "large ×5 | big ×3 | small ×1 | full-size | heavy ×.3 | huge ×.2",
    "van": "large ×5 | big ×2 | long ×.6 | tall ×.4 | small ×.6",
    "cargo": "large ×6 | big ×4 | long | huge ×.4 | small ×.8 | heavy ×.5",
    "bus": "large ×4 | big ×3 | long ×3",
    "wagon": "large ×2 | midsize | long | small ×.6",
    "mpv": "large ×2 | midsize | big | family ×.4",
    "hatchback": "small ×9 | compact ×3 | little | tiny ×.3",
    "coupe": "small ×5 | sporty | low ×.6 | compact | sleek ×.2",
}
UNNAMED_KINDS = "car ×10 | vehicle ×7 | automobile ×.15 | 4-door car ×.3"  # says no type
UNNAMED_BIG = "vehicle ×9 | car ×1"  # of a bus or a truck, which nobody calls a car
UNNAMED_COLOURS = "dark ×6 | light ×2 | light-colored ×2 | dark-colored ×2 | metallic ×.8 | shiny ×.5 |  ×9"
# A second colour on the body: the first is the vehicle's.
SECOND_COLOURS = {
    "silver": "gray ×3 | black | blue",
    "red": "white ×3 | black ×2 | silver",
    "white": "black ×2 | blue ×2 | red ×2 | gray | green ×.6 | orange ×.4",
    "brown": "white | black | gold",
    "gold": "white | black | brown",
    "black": "gray ×2 | white ×2 | silver | red",
    "gray": "black ×2 | blue ×2 | white | silver",
    "blue": "white ×3 | gray ×2 | black | silver",
    "purple": "white | black | gray",
    "yellow": "black ×3 | white ×2 | green ×.5 | blue ×.5",
    "orange": "white ×3 | black ×2 | blue ×.5",
    "green": "white ×3 | yellow | gray | black",
}

# What a colour or a type may be taken for, and how often a vehicle is one that can be.
COLOUR_CONFUSIONS = {
    "silver": "gray ×6 | white ×2.4 | blue ×.4 | gold ×.5 | brown ×.3",
    "red": "brown ×3 | purple ×1.5 | black ×.8 | orange | gray ×.3",
    "white": "silver ×4 | gray ×4 | yellow ×.2 | gold ×.3",
    "brown": "gold ×3 | gray ×3 | red ×1.5 | silver ×1.5 | black | yellow ×.3",
    "gold": "brown ×5 | silver ×2 | yellow ×1.5 | gray | orange ×.6",
    "black": "gray ×5 | blue ×4 | purple ×.4 | brown ×.5 | green ×.3",
    "gray": "silver ×7 | black ×5 | blue ×2 | white ×2 | brown | green ×.5",
    "blue": "black ×5 | gray ×3 | purple ×1.5 | green ×.8 | silver ×.6",
    "purple": "blue ×3 | red ×2 | black ×2 | brown ×.6",
    "yellow": "gold ×3 | orange ×2 | white | green ×.5",
    "orange": "red ×3 | yellow ×2 | brown ×1.5 | gold",
    "green": "gray ×2.5 | blue ×2 | black ×2 | yellow ×.5 | brown ×.7",
}
# How one calls a colour that one takes for another: a white that looks gray is a light gray.
CONFUSED_NAMES = {
    ("white", "gray"): "gray ×4 | light gray ×3",
    ("silver", "gray"): "gray ×6 | light gray ×2",
    ("black", "gray"): "gray ×4 | dark gray ×3 | charcoal ×.3",
    ("black", "blue"): "blue ×3 | dark blue ×4 | navy ×.4 | navy blue ×.6",
    ("black", "purple"): "purple | dark purple",
    ("black", "green"): "green | dark green",
    ("black", "brown"): "brown | dark brown",
    ("blue", "gray"): "gray ×3 | dark gray | bluish gray",
    ("gold", "brown"): "brown ×2 | tan ×2 | beige ×2 | champagne ×2 | light brown",
    ("silver", "brown"): "tan | beige ×2 | champagne",
    ("white", "gold"): "light gold | gold",
    ("red", "brown"): "brown ×3 | reddish brown | dark brown",
    ("red", "purple"): "purple ×3 | dark purple",
    ("brown", "red"): "red | dark red ×2 | maroon ×2 | reddish",
    ("purple", "red"): "red | dark red ×2 | maroon ×2 | burgundy",
    ("orange", "red"): "red ×3 | bright red",
}
UNCLEAR_COLOUR = {
    "silver": 0.58,
    "red": 0.25,
    "white": 0.24,
    "brown": 0.59,
    "gold": 0.64,
    "black": 0.31,
    "gray": 0.56,
    "blue": 0.41,
    "purple": 0.54,
    "yellow": 0.27,
    "orange": 0.32,
    "green": 0.34,
}
KIND_CONFUSIONS = {
    "sedan": "suv ×4 | coupe ×3 | hatchback ×3 | wagon ×1.2 | van ×.3",
    "suv": "van ×5 | wagon ×3 | hatchback ×3 | sedan ×3.5 | mpv ×2 | pickup ×1",
    "pickup": "cargo ×6 | suv ×1.6 | van ×1.2",
    "van": "suv ×6 | mpv ×2.5 | cargo ×1.5 | wagon ×1.2 | pickup ×.8 | sedan ×.4 | bus ×.5",
    "cargo": "pickup ×9 | van ×3 | bus ×.4",
    "bus": "cargo ×2 | van ×3",
    "wagon": "suv ×6 | sedan ×2.5 | hatchback ×2 | van ×1.4 | mpv",
    "mpv": "van ×5 | suv ×4 | wagon ×1.5 | hatchback ×.5",
    "hatchback": "suv ×4 | sedan ×3 | coupe ×1.6 | wagon ×1.2 | mpv ×.2",
    "coupe": "sedan ×6 | hatchback ×2.5",
}
UNCLEAR_KIND = {
    "sedan": 0.52,
    "suv": 0.75,
    "pickup": 0.49,
    "van": 0.79,
    "cargo": 0.79,
    "bus": 0.17,
    "wagon": 0.90,
    "mpv": 0.92,
    "hatchback": 0.77,
    "coupe": 0.71,
}
# Colours are hard to tell in little light.
DIMNESS = {"noon": 0.9, "overcast": 0.95, "dusk": 1.1, "night": 1.3}


def colour_names(colour: str, seen: str) -> str:
    """Return what one calls a colour that one sees as it is or takes for another."""
    return COLOUR_NAMES[colour] if seen == colour else CONFUSED_NAMES.get((colour, seen), seen)
