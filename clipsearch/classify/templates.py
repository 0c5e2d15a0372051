"""Templates: sentences around a label, such as "a photo of a {}".

A sentence like those of the model's training data works better than the bare label, and the average
over several sentences works better still (Radford et al. 2021, section 3.1.4).
"""

from collections.abc import Sequence

from clipsearch import arguments
from clipsearch.errors import UsageError

PLACEHOLDER = "{}"
"""Stands for the label."""

# 16 sentences each on view, light, place, medium and kind: 80 in all.
_VIEWS = (
    "a close-up of a {}",
    "a {} seen from far away",
    "a {} seen from above",
    "a {} seen from below",
    "a {} from the side",
    "a {} from behind",
    "the front of a {}",
    "a detail of a {}",
    "a wide view with a {}",
    "a portrait of a {}",
    "a {} in the middle of the picture",
    "a {} at the edge of the picture",
    "a {} that fills the picture",
    "a tiny {} in a large scene",
    "a {} behind something else",
    "a {} cut off by the frame",
)
_LIGHT = (
    "a {} in bright sunlight",
    "a {} in the shade",
    "a {} at night",
    "a {} at sunset",
    "a {} in morning light",
    "a {} on a cloudy day",
    "a {} in the rain",
    "a {} in the snow",
    "a {} in fog",
    "a {} against the light",
    "a {} lit by a flash",
    "a {} under a street lamp",
    "a {} in a dim room",
    "a dark picture of a {}",
    "a bright picture of a {}",
    "an overexposed photo of a {}",
)
_PLACES = (
    "a {} indoors",
    "a {} outdoors",
    "a {} on a table",
    "a {} on the floor",
    "a {} on grass",
    "a {} in the street",
    "a {} by the water",
    "a {} in the countryside",
    "a {} in the city",
    "a {} in a garden",
    "a {} in a kitchen",
    "a {} in a living room",
    "a {} in a shop",
    "a {} in a museum",
    "a {} in front of a wall",
    "a {} on a white background",
)
_MEDIA = (
    "a photo of a {}",
    "a colour photo of a {}",
    "a black and white photo of a {}",
    "an old photo of a {}",
    "a faded print of a {}",
    "a sharp photo of a {}",
    "a blurred photo of a {}",
    "a grainy photo of a {}",
    "a small, coarse picture of a {}",
    "a snapshot of a {}",
    "a studio photo of a {}",
    "a holiday photo with a {}",
    "a press photo of a {}",
    "a photo of a {} taken with a phone",
    "a cropped photo of a {}",
    "a photo of a {} through a window",
)
_KINDS = (
    "a photo of one {}",
    "a photo of two of a {}",
    "a photo of several {}",
    "a photo of my {}",
    "a photo of the {}",
    "a photo of some {}",
    "a large {}",
    "a small {}",
    "a new {}",
    "an old {}",
    "a beautiful {}",
    "a strange {}",
    "a typical {}",
    "a drawing of a {}",
    "a toy {}",
    "a person with a {}",
)

TEMPLATES = {
    "plain": (PLACEHOLDER,),
    "photo": (
        "a photo of a {}",
        "a photo of the {}",
        "a photo with a {} in it",
        "a picture of {}",
    ),
    "contexts": _VIEWS + _LIGHT + _PLACES + _MEDIA + _KINDS,
    "pets": (
        "a photo of a {}, a kind of pet",
        "my pet, a {}",
        "a {} at home",
        "a {} on the sofa",
        "a {} looking into the camera",
        "a {} playing outside",
    ),
    "animals": (
        "a photo of a {}, a kind of animal",
        "a {} in the wild",
        "a {} in the zoo",
        "a {} looking for food",
        "a close-up of the animal {}",
    ),
    "plants": (
        "a photo of a {}, a kind of plant",
        "a {} in bloom",
        "the leaves of a {}",
        "a {} growing in a garden",
        "a {} growing wild",
    ),
    "food": (
        "a photo of {}, something to eat",
        "a plate of {}",
        "a serving of {} in a restaurant",
        "home-made {}",
        "{} on a kitchen table",
    ),
    "products": (
        "a photo of {}, a product",
        "{} on a shelf in a shop",
        "a package of {}",
        "{} on a white background",
        "an advertisement for {}",
    ),
    "places": (
        "a photo of a {}",
        "a view of a {}",
        "inside a {}",
        "in front of a {}",
        "people visiting a {}",
    ),
    "actions": (
        "a photo of a person {}",
        "a photo of somebody {}",
        "people {}",
        "a child {}",
        "a picture that shows {}",
    ),
    "vehicles": (
        "a photo of a {}, a kind of vehicle",
        "a {} on the move",
        "a parked {}",
        "a {} seen from the side",
    ),
    "documents": (
        "a scan of a {}",
        "a photo of a {} on a desk",
        "a page of a {}",
        "a screenshot of a {}",
    ),
    "textures": (
        "a photo of a {} surface",
        "a close-up of a {} texture",
        "something {}",
        "a {} pattern",
    ),
    "aerial": (
        "an aerial photo of {}",
        "a satellite picture of {}",
        "{} seen from a plane",
    ),
}
"""Built-in sets by name; `contexts` has 80 templates and is the slowest to embed."""

DEFAULT_TEMPLATES = ("photo",)


def resolve_templates(choices: Sequence[str]) -> tuple[str, ...]:
    """Replace names of built-in sets by their templates; each template appears once.

    Raises UsageError if a choice neither contains {} nor names a set, or if there are no choices.
    """
    choices = arguments.texts("templates", choices)
    templates: dict[str, None] = {}
    for choice in choices:
        if PLACEHOLDER in choice:
            templates[choice] = None
        elif choice in TEMPLATES:
            templates |= dict.fromkeys(TEMPLATES[choice])
        else:
            raise UsageError(
                f"the template {choice!r} has no {PLACEHOLDER} for the label and is not a built-in "
                f"set: {', '.join(TEMPLATES)}"
            )
    if not templates:
        raise UsageError('no templates: give one, such as "a photo of a {}"')
    return tuple(templates)


def fill_template(template: str, label: str) -> str:
    """Replace every {} by the label; other braces, in either, are kept."""
    return template.replace(PLACEHOLDER, label)
