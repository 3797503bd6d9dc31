"""What annotators say a vehicle does: a small grammar of predicates, places, relations and asides.

A rule is a list of alternatives, `text | text ×3`, with weights. In a text `{rule}` stands for an alternative of
another rule, `[verb]` for a verb to be inflected, `{side}` for left or right, `{other}` for another vehicle. Places
have rules of their own beside the common ones. `nlvr.engine.language` reads each motion as it is meant here.
"""

from __future__ import annotations

import re

_COMMON = {
    # Straight on, and said so.
    "straight": "[go] straight ×7 | [keep] straight ×7 | [drive] straight ×5 | [go] straight {along} ×9 | "
    "[keep] straight {along} ×4 | [drive] straight {along} ×7 | [run] straight {along} ×3 | [move] straight ×1.5 | "
    "[move] straight {along} | [continue] straight ×1.4 | [continue] straight {along} | [drive] straight ahead ×1.2 | "
    "[go] straight ahead ×.8 | [go] forward ×1.3 | [drive] forward {along} ×.7 | [keep] forward {along} ×.7 | "
    "[continue] forward ×.7 | [move] forward {along} ×.7 | [head] straight {along} ×.7 | "
    "[proceed] straight {along} ×.7 | [travel] straight {along} ×.8 | [go] straight in its lane ×.5 | "
    "[keep] straight on {wide} ×.6 | [go] down {street} on a straight lane ×.8 | [drive] on a straight road ×.5",
    # On its way, without a word of where.
    "usual": "[run] down the street",  # of all sentences the most frequent
    "road": "[run] down {street} ×12 | [drive] down {street} ×5 | [go] down {street} ×4 | [move] down {street} ×1.2 | "
    "[travel] down {street} ×1.6 | [run] along {street} ×1.4 | [drive] along {street} ×1.4 | [run] on {street} ×1.6 | "
    "[drive] on {street} ×1.6 | [continue] down {street} ×1.2 | [cruise] down {street} ×.5 | [drive] on {wide} ×1.2 | "
    "[run] down {wide} ×1.2 | [go] along {street} | [go] up {street} ×.6 | [roll] down {street} ×.4 | "
    "[head] down {street} | [drive] by ×.2 | [pass] by ×.3 | [drive] in its lane ×.3 | [drive] up {street} ×.4",
    "fast": "[speed] down {street} ×3 | [race] down {street} ×.8 | [drive] fast down {street} | "
    "[run] fast on {street} | [speed] past | [drive] at high speed | [drive] quickly down {street} | "
    "[rush] down {street} ×.6",
    "slow": "[drive] slowly down {street} ×2 | [move] slowly {in traffic} ×2 | [move] slowly ×1.5 | [slow] down | "
    "[slow] down on {street} | [roll] slowly down {street} | [go] slowly along {street} | [crawl] {in traffic} ×.6",
    "turn": "[turn] {side} ×14 | [turn] {side} {there} ×25 | [make] a {side} turn ×5 | "
    "[make] a {side} turn {there} ×6 | [take] a {side} turn ×1.4 | [take] a {side} turn {there} | "
    "[take] a {side} ×1.2 | [take] a {side} {there} | [make] a {side} ×.8 | [make] a {side} {there} ×.8 | "
    "[turn] {side} {onto} ×5 | [turn] to the {side} ×1.2 | [turn] to the {side} {there} ×.6 | "
    "[do] a {side} turn ×.3 | [make] a {side}-hand turn ×.4 | [turn] {side} slowly ×.4 | "
    "slowly [turn] {side} {there} ×.5 | [go] {side} ×.3 | [head] {side} ×.2 | [turn] sharply {side} ×.2 | "
    "[perform] a {side} turn ×.2 | [make] a {side} turn {onto} ×1.2 | [swing] {side} {onto} ×.15 | "
    "[veer] {side} ×.2 | [complete] a {side} turn ×.2",
    "turn on": "[turn] {side} and [drive] down {street} ×2 | [turn] {side} and [run] down {street} ×2 | "
    "[turn] {side} and then [keep] straight | [turn] {side} {there} and [go] straight | "
    "[turn] {side} and [continue] down {street} | [turn] {side}, then [go] straight ×.4",
    "approach turn": "[drive] down {street} and [turn] {side} ×2 | [go] straight and then [turn] {side} ×2 | "
    "[go] straight then [turn] {side} | [slow] down and [turn] {side} ×1.4 | [slow] down before turning {side} | "
    "[run] down {street} and [turn] {side} | [approach] {junction} and [turn] {side} | [slow] down to turn {side} | "
    "[drive] up to {junction} and [turn] {side}",
    "u-turn": "[make] a u-turn ×5 | [make] a u-turn {there} ×4 | [make] a U turn {there} ×2 | [do] a u-turn | "
    "[turn] around ×2 | [turn] around {there} | [take] a u-turn {there} | [turn] back ×.3",
    "stop": "[stop] {waiting} ×14 | [be] stopped {waiting} ×3 | [stop] ×2.5 | [come] to a stop {waiting} ×1.6 | "
    "[wait] {waiting} ×4 | [slow] down and [stop] {waiting} ×1.6 | [come] to a full stop {waiting} ×.4 | "
    "[be] stopped ×.6 | [pull] up and [stop] {waiting} ×.6 | [be] waiting {waiting} ×.8 | [halt] {waiting} ×.3 | "
    "[stand] still {waiting} ×.4 | briefly [stop] {waiting} ×.5 | [drive] down {street} and [stop] {waiting} ×1.4 | "
    "[run] down {street} and [stop] {waiting} ×1.2 | [go] straight and [stop] {waiting} | [be] waiting in traffic ×.3",
    "stop turn": "[stop] {waiting} and then [turn] {side} ×4 | [stop] {waiting} then [turn] {side} ×3 | "
    "[stop] {waiting} before turning {side} ×2 | [wait] {waiting} and [turn] {side} ×2 | "
    "[stop] and then [turn] {side} ×2 | [wait] to turn {side} {there} ×1.5 | [stop] {waiting} to turn {side} | "
    "[turn] {side} after stopping {waiting} | [stop] {waiting}, then [make] a {side} turn | "
    "[wait] for traffic before turning {side} ×.5 | [be] stopped {waiting} before finally turning {side} ×.4",
    "stop straight": "[stop] {waiting} and then [go] straight ×3 | [stop] {waiting} then [keep] straight ×2 | "
    "[stop] {waiting} before going straight | [wait] {waiting} and then [drive] straight | "
    "[stop] {waiting} and then [go] through {junction} | [stop] {waiting} before continuing | "
    "[go] straight after stopping {waiting}",
    "parked": "[be] parked {in place} ×10 | [be] parked ×3 | [be] stopped {in place} ×2 | "
    "[stay] parked {in place} ×2 | [sit] {in place} ×1.2 | [be] parking {in place} ×1.4 | [stop] {in place} ×2 | "
    "[stand] {in place} ×1.2 | [be] parked on the side ×1.5 | [be] waiting {in place} ×.5 | [sit] parked {in place} | "
    "[stand] still {in place} ×.6",
    "lane": "[change] lanes ×4 | [change] its lane ×1.5 | [switch] lanes ×3 | [switch] to another lane ×2 | "
    "[change] lanes on {street} ×3 | [merge] into the next lane ×2 | [merge] into another lane ×1.5 | "
    "[switch] lanes and [run] down {street} ×1.5 | [move] into the other lane | [change] to another lane | "
    "[change] lanes and [go] down {street} | [switch] to the next lane {while}",
    "while": "while moving down {street} | while driving ×.6 | on {street}",
    "company ahead": "[follow] {other} ×5 | [follow] {other} down {street} ×3 | [drive] behind {other} ×3 | "
    "[run] behind {other} ×2 | [go] behind {other} on {street} | [keep] behind {other} ×.6 | "
    "[run] after {other} ×.6 | [move] behind {other} | [travel] behind {other} on {street}",
    "company behind": "[drive] in front of {other} ×3 | [run] ahead of {other} ×2 | [be] followed by {other} ×4 | "
    "[drive] down {street} with {other} behind ×2 | [go] ahead of {other} on {street}",
    "company beside": "[drive] next to {other} ×3 | [run] beside {other} | [pass] {other} ×3 | "
    "[run] alongside {other} | [drive] past {other} ×1.5 | [pass] {other} on {street} ×1.4 | "
    "[drive] down {street} next to {other} ×1.4",
    "company still ahead": "[stop] behind {other} ×5 | [wait] behind {other} ×3 | [be] stopped behind {other} ×4",
    "company still behind": "[stop] in front of {other} ×3 | [wait] in front of {other}",
    "company still beside": "[stop] next to {other} ×3 | [wait] next to {other} ×2 | [be] stopped beside {other}",
    "company parked ahead": "[be] parked behind {other}",
    "company parked behind": "[be] parked in front of {other}",
    "company parked beside": "[be] parked next to {other} ×5 | [be] parked beside {other} ×2 | [sit] parked by {other}",
    # Who else is there, after the predicate.
    "ahead": "behind {other} ×8 | following {other} ×3 | after {other} ×.6 | with {other} in front of it ×1.2 | "
    "close behind {other} ×.3 | and [follow] {other} ×.5 | behind {other} in traffic ×.2",
    "behind": "followed by {other} ×12 | in front of {other} ×1.6 | with {other} behind it ×1.4 | "
    "ahead of {other} ×.8 | and is followed by {other} | as it is followed by {other} ×.3 | "
    "with {other} following ×.6 | while {other} follows behind ×.3 | being followed by {other} ×.3",
    "beside": "next to {other} ×4 | passing {other} ×3 | alongside {other} | beside {other} ×1.2 | "
    "with {other} to its {where} | with {other} on its {where} ×.7 | with {other} on the {where} side | "
    "parallel to {other} ×.5 | near {other} ×.6 | with {other} to the {where} of it ×.6 | with {other} nearby ×.5 | "
    "while passing {other} ×.6 | past {other} ×.8",
    "still ahead": "behind {other} ×8 | with {other} in front of it ×2 | right behind {other}",
    "still behind": "in front of {other} ×4 | with {other} behind it ×3 | ahead of {other} | followed by {other} ×3",
    "still beside": "next to {other} ×6 | beside {other} ×2 | with {other} to the {where} of it ×1.5 | near {other} | "
    "with {other} on its {where} | with {other} to its {where} | with {other} on the {where} side",
    "parked ahead": "behind {other} ×4 | near {other} | with {other} in front of it",
    "parked behind": "in front of {other} ×4 | near {other} | with {other} behind it",
    "parked beside": "next to {other} ×6 | beside {other} ×2 | near {other} | with {other} on its {where}",
    "between": "between two other cars ×2 | between two vehicles | between other vehicles | in a line of cars",
    "many": "with other cars ×1.4 | with other vehicles around ×1.4 | with several cars around | in traffic ×2 | "
    "with a few other cars | in heavy traffic ×.4 | among other cars ×.4 | alongside other vehicles | "
    "with other vehicles | with some cars nearby ×.5",
    "nobody": "alone ×2 | with no cars around ×1.4 | with no other cars nearby | with nobody in front of it ×.4 | "
    "by itself",
    # Asides.
    "toward": "toward the camera ×3 | towards the camera ×3 | coming toward the camera | coming closer ×.4",
    "away": "away from the camera ×4 | moving away from the camera | driving away ×.6",
    "across": "passing the camera ×2 | in front of the camera",
    "bearing": "heading {compass} ×4 | going {compass} | {compass}bound ×.7 | to the {compass} | towards the {compass}",
    "night": "at night ×4 | in the dark ×1.4 | with its headlights on ×2 | with the lights on | late at night ×.4",
    "noted lane": "in the {where} lane ×5 | on the {where} lane ×3 | in the middle lane | from the {where} lane ×.6 | "
    "with a sidewalk on the {where} side ×.4 | with parked cars on the {where} side | on the {where} side ×1.2",
    "feature": "with tinted windows ×2 | with a dark roof | with roof rails | with shiny wheels | "
    "with black wheels ×.6 | with white trim ×.4 | with black trim ×.4 | with a logo on its side ×.6",
    "where": "left | right",
    "in traffic": "in traffic ×3 | with the traffic | in a queue",
}
_PLACES = {
    "intersection": {
        "street": "the street ×22 | the road ×7 | a street ×1.4 | a road ×1.4 | the main street ×.5 | the lane ×.3",
        "wide": "a busy road ×.5 | a two-lane road | a wide road ×.7 | the main road | a busy street | "
        "the city street ×.5",
        "junction": "the intersection ×10 | an intersection ×9 | the junction | a junction ×.6 | the crossroad ×.5 | "
        "a wide intersection ×.5 | a crossroads ×.2 | a big intersection ×.3 | the crossing ×.3",
        "along": "down {street} ×6 | through {junction} ×13 | on {street} ×2 | at {junction} ×6 | "
        "along {street} ×1.4 | across {junction} ×1.2 | past {junction} ×.4 | down {street} passing {junction} ×2 | "
        "through the traffic light ×.8 | over the crosswalk ×.2 | through a green light ×.8",
        "there": "at {junction} ×12 | at the traffic light ×1.2 | at the light ×.6 | in {junction} ×1 | "
        "on {junction} ×1 | at the corner ×.7 | at the traffic lights ×.5 | at the next street ×.2 | "
        "through {junction} ×.4",
        "onto": "onto {street} ×2 | onto another street ×2 | onto another road ×1.5 | into another street | "
        "into a side street ×.6 | onto the main road ×.6 | to enter another street ×.4 | on a two-lane road ×.5",
        "waiting": "at {junction} ×14 | at the traffic light ×3 | at a red light ×3 | at the red light ×1.4 | "
        "at the light ×1.2 | at the stop line ×.7 | at the traffic lights ×.8 | at a traffic light ×1.2 | "
        "at the crosswalk ×.6 | before {junction} ×1 | in front of {junction} ×.4 | at the stop light ×.4 | "
        "at the traffic signal ×.5 | for the green light ×.3 | for the light to change ×.2",
        "cross": "[cross] {junction} ×8 | [drive] through {junction} ×8 | [go] through {junction} ×5 | "
        "[pass] {junction} ×2 | [pass] through {junction} ×2.5 | [run] through {junction} ×3 | "
        "[run] across {junction} | [drive] across {junction} ×2 | [travel] through {junction} ×1.4 | "
        "[move] through {junction} | [enter] {junction} ×.6 | [drive] over a crosswalk ×.4 | "
        "[go] down {street} passing {junction} ×1.5 | [run] down {street} crossing {junction} ×1.4 | "
        "[go] across {junction} | [drive] past {junction} ×.6 | [proceed] through {junction} ×.8 | "
        "[go] through the traffic light ×.8 | [drive] up to {junction} ×.6 | [approach] {junction} ×.8",
        "in place": "on the side of the road ×4 | by the road ×2 | on {street} | at the curb | along the curb | "
        "on the roadside | on the street ×2 | near {junction}",
        "opening": "at {junction} ×4 | on {street}",
        "empty": "on an empty street ×2 | on an empty road",
    },
    "highway": {
        "street": "the highway ×11 | the road ×9 | the street ×12 | the freeway ×2 | a highway ×1.4 | the main road",
        "wide": "a wide road | a multi-lane road | a busy highway | an open road ×.4",
        "junction": "the exit | an exit ×.5 | the ramp",
        "along": "down {street} ×6 | on {street} ×6 | along {street} ×3 | in traffic ×.3",
        "there": "on {street} ×3 | at the exit | off {street} ×.4",
        "onto": "onto {street} | onto another road | onto a ramp | onto the exit ramp",
        "waiting": "on {street} ×5 | in traffic ×3 | on the road ×2 | on the shoulder | behind the traffic ×.6",
        "cross": "[pass] by on {street} | [move] with the traffic | [run] along {street} ×2 | [drive] on {street} ×2",
        "in place": "on the shoulder ×4 | on the side of {street} ×3 | on the side of the road ×3 | on {street}",
        "opening": "on {street}",
        "empty": "on an empty road ×2 | on an empty highway",
    },
    "car park": {
        "street": "the parking lot ×5 | the street ×5 | the road ×4 | the lot ×1.4 | the aisle ×1.6 | the lane ×1.4",
        "wide": "the parking lot ×3 | the narrow lane | the parking area",
        "junction": "the end of the row ×2 | the end of the aisle | the end of the lane | the exit ×.5",
        "along": "through the parking lot ×6 | in the parking lot ×4 | down {street} ×2 | past parked cars ×2 | "
        "past the parked cars ×1.5 | between the parked cars | down the aisle | across the parking lot ×.8",
        "there": "in the parking lot ×7 | at {junction} ×1.5 | in the lot ×1.4 | into the next row | "
        "in a parking lot ×2 | past the parked cars ×.6 | in the parking area",
        "onto": "into the parking lot | into the next aisle | into another row | into another lane | past parked cars",
        "waiting": "in the parking lot ×8 | in the lot ×1.4 | at {junction} ×1.4 | in a parking lot ×2 | "
        "in the parking area | in the aisle | near the parked cars",
        "cross": "[drive] through the parking lot ×7 | [cross] the parking lot ×2 | [go] through the parking lot ×4 | "
        "[drive] past parked cars ×2 | [pass] a row of parked cars ×1.4 | [run] through a parking lot ×2 | "
        "[drive] around the parking lot | [move] through the lot ×1.4 | [go] past the parked cars | "
        "[look] for a parking space ×.3 | [drive] between parked cars",
        "in place": "in the parking lot ×9 | in a parking lot ×3 | in a parking space ×4 | in the lot ×1.5 | "
        "in a parking spot ×2 | in a row of cars | in the parking area",
        "opening": "in the parking lot ×3 | in a parking lot",
        "empty": "in an empty parking lot ×2 | with no one around",
    },
}
RULES = {place: _COMMON | own for place, own in _PLACES.items()}

_IRREGULAR = {
    # lemma: third person, participle, past
    "be": "is  was",
    "run": "runs running ran",
    "drive": "drives driving drove",
    "go": "goes going went",
    "keep": "keeps keeping kept",
    "take": "takes taking took",
    "make": "makes making made",
    "do": "does doing did",
    "come": "comes coming came",
    "stand": "stands standing stood",
    "sit": "sits sitting sat",
    "speed": "speeds speeding sped",
    "stop": "stops stopping stopped",
    "swing": "swings swinging swung",
}


def inflect(text: str, form: str) -> str:
    """Return a predicate with its `[verb]`s in a form.

    form: "present" ("goes and stops"), "progressive" ("is going and stopping"), "participle" ("going and stopping"),
    "past" ("went and stopped") or "base" ("go and stop", as annotators in a hurry write).
    """
    if form == "progressive":
        return f"is {inflect(text, 'participle')}"
    return " ".join(re.sub(r"\[(\w+)\]", lambda match: _verb(match[1], form), text).split())


def _verb(lemma: str, form: str) -> str:
    third, participle, past = _forms(lemma)
    return {"present": third, "participle": participle, "past": past, "base": third if lemma == "be" else lemma}[form]


def _forms(lemma: str) -> tuple[str, str, str]:
    if lemma in _IRREGULAR:
        third, participle, past = _IRREGULAR[lemma].split(" ")
        return third, participle, past
    stem = lemma.removesuffix("e")
    return lemma + ("es" if lemma.endswith(("s", "sh", "ch")) else "s"), f"{stem}ing", f"{stem}ed"
