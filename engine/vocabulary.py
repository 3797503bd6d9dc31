"""The words that `language` reads: tables only, one word in one place.

Canonical colours and types are those of CityFlow-NL descriptions. A word that is not here names nothing: brands, "car"
and "vehicle" have no type, "dark" and "metallic" have no colour.
"""

from __future__ import annotations

COLOURS = ("silver", "red", "white", "brown", "gold", "black", "gray", "blue", "purple", "yellow", "orange", "green")
TYPES = ("bus", "pickup", "sedan", "suv", "van", "wagon", "cargo", "mpv", "hatchback", "coupe")
MOTIONS = ("straight", "left", "right", "stop")


def words(text: str) -> frozenset[str]:
    """The words of `text` as a set."""
    return frozenset(text.split())


def _verbs(lemmas: str) -> frozenset[str]:
    """Every regular form of the verbs; "stop/stopp" gives the stem of "stopped" and "stopping"."""
    forms: set[str] = set()
    for entry in lemmas.split():
        lemma, _, stem = entry.partition("/")
        stem = stem or lemma.removesuffix("e")
        forms |= {lemma, lemma + ("es" if lemma.endswith(("s", "sh", "ch", "o")) else "s"), stem + "ed", stem + "ing"}
    return frozenset(forms)


def _by_meaning(meanings: dict[str, str]) -> dict[str, str]:
    return {word: meaning for meaning, text in meanings.items() for word in text.split()}


# "bluish gray" is gray and "reddish" alone is red: these give way to a colour right after them.
COLOUR_TINGES = _by_meaning(
    {
        "red": "reddish maroonish pinkish",
        "brown": "brownish",
        "gold": "golden goldish",
        "black": "blackish",
        "gray": "grayish greyish",
        "silver": "silvery silverish",
        "white": "whitish",
        "blue": "bluish blueish",
        "purple": "purplish purpleish",
        "yellow": "yellowish",
        "orange": "orangish orangeish",
        "green": "greenish",
    }
)
COLOUR_WORDS = (
    {colour: colour for colour in COLOURS}
    | COLOUR_TINGES
    | _by_meaning(
        {
            "red": "maroon burgundy wine crimson scarlet ruby cherry",
            "silver": "platinum",
            "white": "offwhite ivory pearl cream",
            "brown": "beige tan champagne bronze khaki chocolate copper mocha taupe",
            "gray": "grey charcoal gunmetal graphite slate",
            "blue": "navy cyan azure indigo turquoise teal aqua",
            "purple": "violet lavender magenta plum",
            "green": "olive lime emerald",
            "yellow": "mustard",
        }
    )
)
SHADES = words("light dark deep pale bright faint soft")

_TYPE_NOUNS = {name: name for name in TYPES} | _by_meaning(
    {
        "bus": "minibus buses",
        "sedan": "saloon taxi cab taxicab limousine limo",
        "suv": "jeep crossover",
        "van": "minivan",
        "wagon": "estate",
        "cargo": "semi lorry lorries flatbed tractor trailer tanker",
        "coupe": "convertible roadster",
    }
)
TYPE_WORDS = _TYPE_NOUNS | {f"{noun}s": meaning for noun, meaning in _TYPE_NOUNS.items() if not noun.endswith("s")}
# A truck is a pickup unless one of these stands before it in its noun phrase.
CARGO_QUALIFIERS = words(
    "cargo box boxed semi flatbed trailer tractor tanker tank container freight delivery courier dump tipper tow "
    "towing garbage trash refuse recycling fire moving mail postal post usps ups fedex dhl amazon uhaul haul hauling "
    "wheeler articulated cement concrete mixer food utility bucket crane transport commercial construction"
)
# "cargo van" is a van, "flatbed pickup" a pickup: before these words a cargo word is an adjective.
BODY_AFTER_CARGO = words("van vans pickup minivan bus")

# "behind a black Honda" speaks of another vehicle than the subject, so brands are vehicles, without a type.
TRUCKS = words("truck trucks")
BRANDS = words(
    "acura audi benz bmw buick cadillac camry chevrolet chevy chrysler civic corolla dodge fiat ford gmc honda hyundai "
    "infiniti kia lexus lincoln mazda mercedes nissan porsche prius subaru tesla toyota volkswagen volvo"
)
VEHICLES = TYPE_WORDS.keys() | TRUCKS | BRANDS | words("car cars vehicle vehicles automobile automobiles auto")
# Whoever else a motion can belong to.
ROAD_USERS = VEHICLES | words(
    "others traffic cyclist cyclists bicyclist pedestrian pedestrians motorcycle motorcycles motorbike bike bikes "
    "bicycle bicycles scooter ambulance people person man men woman women biker bikers worker workers drivers"
)

# Nouns of the street: a colour before one of them is not a vehicle's.
STREET = words(
    "light lights line lines lane lanes sign signs signal arrow cone cones house building store wall fence tree curb "
    "intersection street road lot stripe stripes"
)
# "a white coupe", not "a white-roofed coupe"
PART_WORDS = words("roofed topped striped trimmed lettered wheeled logo")

DETERMINERS = words("a an the this that these those another other its his her their some any each every no all both")
PRONOUNS = words("it he she they which who")
COORDINATORS = words("and but then or nor so , afterward afterwards later")
SUBORDINATORS = words("while when as after before until since because where whereas once if")
PREPOSITIONS = words(
    "about above across against ahead along alongside among around aside at away beside besides between by close "
    "closer down during for from front in inside into like near nearby next of off on onto opposite out outside over "
    "parallel past per through throughout to toward towards under up upon via with within without behind beneath "
    "beyond"
)
HEDGES = words("probably maybe possibly perhaps likely apparently either")

COPULAS = words("is was are were be being been appears seems looks")
# A noun phrase after these can be the subject: "there is a red car", "a man driving a red car", "a view of a red car".
OPENERS = COPULAS | words("see sees show shows showing shown driving captures contains features has")
TURN_VERBS = _verbs("turn veer swing curve")
GO_VERBS = _verbs("go head drive move bear proceed exit steer") | words("gone went drove driven headed")
TAKE_VERBS = _verbs("take make do perform execute hang hook complete") | words("took taken made did done")
STOP_VERBS = _verbs("stop/stopp halt wait park idle pause sit/sitt stand stall") | words(
    "sat stood stationary standstill"
)
STOP_NOUNS = words("stop halt park pause wait stand stall")  # verbs too, but nouns after "a" and "the"
OTHER_VERBS = _verbs(
    "accelerate allow approach begin/beginn brake break change chase come continue cross cruise cut/cutt decelerate "
    "enter follow get/gett keep lead leave let/lett merge overtake pass prepare pull race reach remain reverse roll "
    "run/runn rush shift slow speed start stay swerve switch tail trail travel travel/travell try use want yield"
) | words("came has had have having kept overtaken overtook ran can will would may")
VERBS = COPULAS | OPENERS | TURN_VERBS | GO_VERBS | TAKE_VERBS | STOP_VERBS | OTHER_VERBS
# Before a vehicle these are adjectives: "passes three stopped vehicles".
ADJECTIVAL = words("parked parking stopped stopping turning moving waiting speeding slowing stationary oncoming idling")
# Forms that can only be a predicate: with one of these a subject that has none yet takes the verb back.
FINITE = frozenset(
    word for word in VERBS if not word.endswith(("ing", "ed")) or word in ("turned", "stopped", "headed")
)

STRAIGHT = words("straight forward forwards onward onwards")
# Between a verb and its side: "turns sharply to the left", "takes a slight right".
TURN_FILLERS = words(
    "a an the to its his on toward towards another slight slightly sharp sharply slow slowly quick quickly hard wide "
    "immediate immediately legal safe smooth gentle tight around back into onto in at"
)
PLACE_FILLERS = words("on into onto in at")  # "turns in the left lane" says where, "turns in left" what it does
SIDE_FILLERS = TURN_FILLERS - PLACE_FILLERS - {"around", "back"}
# "the right lane" and "to the right of it" say where, "right behind" how near: no turn.
PLACE_AFTER_SIDE = words("lane lanes line side most shoulder edge curb of")
SIGNALS = words("signal signals blinker blinkers indicator")  # "turns its left signal on"
NEAR_AFTER_RIGHT = words("after before behind next in through past by down up over across along")
COMING_TO_A_STOP = words(
    "come comes came coming make makes made making pulls pulling rolls rolling slows slowing brakes braking grinds"
)
NEGATIONS = words("not never without no non doesnt didnt isnt wont dont cannot")

# Two words that are one to the reader. The neutral ones keep "stop", "bus" and "left" from being read in them.
PHRASES = {
    tuple(phrase.split()): meaning
    for meaning, phrases in {
        "offwhite": "off white",
        "wagon": "station wagon, estate car",
        "coupe": "sport car, sports car",
        "suv": "sport utility, sports utility",
        "mpv": "multipurpose vehicle, people carrier, multi purpose",
        "cargo": "car carrier, car hauler, car transporter, cargo vehicle, fire engine, 18 wheeler, big rig",
        "uhaul": "u haul",
        "trailer": "tractor trailer",
        "crew": "crew cab",
        "double": "double cab",
        "extended": "extended cab",
        "quad": "quad cab",
        "king": "king cab",
        "single": "single cab",
        "regular": "regular cab",
        "slow": "slow moving",
        "fast": "fast moving",
        "sign": "stop sign, stop signs, traffic sign",
        "light": "stop light, stop lights, traffic light, traffic lights, turn light",
        "line": "stop line",
        "signal": "stop signal, traffic signal, traffic signals, turn signal, turn signals",
        "place": "bus stop, bus station, truck stop, taxi stand, car park, car wash, car dealership",
        "lane": "bus lane, turn lane, turning lane",
        "lot": "parking lot, parking lots, parking space, parking spot, parking area, parking garage",
        "passage": "pedestrian passage",
        "crosswalk": "pedestrian crossing",
    }.items()
    for phrase in phrases.split(", ")
}
