"""Word tables of the rules: general English words for attributes, counts, places and clothes, by class."""

from __future__ import annotations

from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLOURS = _words(
    "red orange yellow green teal blue purple pink brown black white grey gray beige cream ivory tan khaki navy "
    "maroon burgundy crimson scarlet coral peach rose magenta fuchsia violet lavender lilac indigo turquoise aqua "
    "cyan olive emerald gold golden silver bronze copper rust mustard charcoal nude blonde blond ginger auburn "
    "colourful colorful multicolored multicoloured multi-colored multi-coloured rainbow monochrome"
)
SHADES = _words("light dark bright pale deep pastel neon vivid")
TINTS = _words("medium royal sky hot baby mint lime salmon navy forest burnt off metallic")
"""Words that modify a colour, and have another meaning before other nouns."""
PATTERNS = _words(
    "plain solid striped stripy dotted spotted checked checkered chequered floral flowered flowery zigzag plaid "
    "tartan patterned printed paisley polka-dot polka-dotted tie-dye tie-dyed camouflage camo leopard-print "
    "animal-print zebra-print graphic geometric gingham houndstooth chevron argyle ombre abstract unpatterned"
)
PATTERN_NOUNS = {
    "stripes": "striped", "stripe": "striped", "dots": "dotted", "dot": "dotted", "spots": "spotted",
    "polka-dots": "polka-dotted", "checks": "checked", "check": "checked", "flowers": "floral",
    "zigzags": "zigzag", "zigzag": "zigzag", "plaid": "plaid", "checkers": "checkered", "squares": "checked",
    "zig-zags": "zigzag", "zig-zag": "zigzag", "florals": "floral", "blossoms": "floral",
}  # fmt: skip
"""A pattern as a noun -> the adjective that captions use."""
MATERIALS = _words(
    "denim leather cotton silk silky satin lace lacy wool woolen woollen linen velvet knit knitted suede chiffon "
    "mesh wooden wood metal metallic plastic glass ceramic stone brick marble steel paper rubber tweed fleece nylon "
    "sequined"
)
SIZES = _words("big large huge giant small little tiny oversized medium-sized enormous massive")
LENGTHS = _words(
    "long short cropped knee-length floor-length ankle-length mid-length midi maxi mini medium-length calf-length "
    "thigh-length"
)
FITS = _words("tight loose fitted baggy form-fitting tight-fitting loose-fitting slim flowy flowing relaxed snug")
AGES = _words("old young new adult elderly older younger")
MOODS = _words("formal casual dressy sporty elegant simple fancy modest sexy revealing")
SLEEVE_WORDS = _words(
    "one-sleeved sleeveless long-sleeved short-sleeved long-sleeve short-sleeve strapless half-sleeved sleeved "
    "cap-sleeved"
)
NECK_WORDS = _words(
    "collared collarless turtlenecked v-necked round-necked crew-necked halter off-the-shoulder one-shouldered"
)
OTHER_ADJECTIVES = _words(
    "shiny matte sheer see-through transparent opaque soft fluffy furry hairy fat thin thick wide narrow tall high "
    "low heavy empty full open closed wet dry dirty clean clear cloudy sunny calm angry happy sad awake asleep "
    "round square oval curved straight upright modern rustic vintage retro classic traditional contemporary bold "
    "busy muted subtle sleek edgy feminine masculine girly stylish trendy fashionable sexy pretty beautiful cute "
    "ugly nice good bad warm cold cool hot fresh ripe raw baked fried cooked sliced whole broken wild tame lazy "
    "playful alone single double triple pleated ruffled belted buttoned layered tiered embroidered fringed backless "
    "asymmetrical asymmetric hooded zipped ripped distressed worn bare naked shirtless blurred blurry visible "
    "indoors outdoors sharp large-sized close-up wrinkled strappy spotless sparkly glittery beaded comfortable "
    "conservative exotic tropical fit-and-flare vertical horizontal diagonal upside-down smooth rough bushy lean "
    "chubby skinny luminous strong weak deep shallow crowded dense minimal minimalist detailed decorative decorated "
    "ornate intricate complex unique funny summery wintry natural neutral artistic whimsical ethnic bohemian "
    "muscular stormy double-decker button-down button-up professional dull loud noisy quiet rich lush snowy "
    "rocky grassy sandy muddy dusty rainy foggy different "
    "similar identical same uniform vibrant flattering concealing monochromatic monochrome tropical athletic "
    "eccentric subdued playful chic fun spacious"
)
COMPARABLE = _words(
    "big large small tiny little long short tall high low wide narrow thick thin fat slim skinny light dark bright "
    "pale deep red blue green white black brown pink grey gray yellow loose tight baggy flowy silky shiny sheer "
    "soft fluffy furry hairy heavy old young new clear cloudy sunny clean dirty warm cold cool hot fancy dressy cheap "
    "simple plain bold busy sexy pretty cute ugly nice fresh strong weak sharp smooth rough calm full fine bushy "
    "chubby lean lazy happy sad loud quiet rich lush dense crisp sleek girly classy trendy stretchy puffy lacy "
    "frilly ruffly poofy wavy curly straight flat round square steep close near safe wild odd blurry roomy edgy "
    "preppy flashy sporty healthy stocky muscly scruffy shaggy woolly fuzzy dry wet dull duller vivid great"
)
SLOT_WORDS = {
    "colour": COLOURS | SHADES, "pattern": PATTERNS, "material": MATERIALS, "size": SIZES, "length": LENGTHS,
    "fit": FITS, "age": AGES, "mood": MOODS, "sleeves": SLEEVE_WORDS, "neck": NECK_WORDS,
}  # fmt: skip
RANKS = {
    "length": 0, "size": 0, "sleeves": 1, "neck": 1, "mood": 2, "fit": 2, "other": 2, "age": 3, "colour": 4,
    "pattern": 5, "material": 6, "": 9,
}  # fmt: skip
"""The order of adjectives before a noun, by slot; an unknown word counts as the first half of a compound noun."""
OPPOSITES = {
    "formal": "casual", "casual": "formal", "colourful": "muted", "colorful": "muted", "bright": "muted",
    "revealing": "modest", "sexy": "modest", "fitted": "loose", "tight": "loose", "loose": "fitted",
    "baggy": "fitted", "flowy": "fitted", "flowing": "fitted", "plain": "patterned", "busy": "simple", "dark": "light",
    "light": "dark", "long": "short", "short": "long", "patterned": "plain", "fancy": "simple", "shiny": "matte",
    "transparent": "opaque", "sheer": "opaque", "see-through": "opaque", "simple": "ornate", "decorated": "plain",
    "big": "small", "large": "small", "small": "large", "wide": "narrow", "thick": "thin", "bold": "subtle",
    "dressy": "casual", "ornate": "simple", "crowded": "sparse", "open": "closed", "low": "high", "high": "low",
    "dull": "bright", "conservative": "revealing", "elegant": "casual", "feminine": "masculine",
    "masculine": "feminine", "girly": "masculine", "fluffy": "smooth", "furry": "smooth", "clear": "cloudy",
    "floral": "plain", "graphic": "plain", "striped": "plain", "sleeveless": "sleeved", "puffy": "flat",
}  # fmt: skip
STATES = {
    "open": "open", "close": "closed", "raise": "raised", "light": "lit", "blur": "blurred", "hold": "held",
    "fold": "folded",
    "cut": "cut", "slice": "sliced", "wrap": "wrapped", "tie": "tied", "cover": "covered", "stack": "stacked",
    "widen": "wide", "smooth": "smooth", "tilt": "tilted", "rotate": "rotated",
    "shorten": "short", "lengthen": "long", "enlarge": "big", "straighten": "straight", "shrink": "small",
    "thicken": "thick", "bend": "bent", "darken": "dark", "lighten": "light", "brighten": "bright",
}  # fmt: skip
"""A verb -> the state of the thing afterwards."""
NUMBERS = {
    "no": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
NUMBER_WORDS = {value: word for word, value in NUMBERS.items()}
DETERMINERS = _words(
    "a an the some several many few multiple both all every each another this that these those its his her their my "
    "your any various numerous one's dozen"
) | frozenset(NUMBERS)
GROUPS = _words(
    "group pair couple bunch herd flock pack pile set row stack line lot number collection variety bowl plate glass "
    "cup bottle piece slice box basket bag litter field close-up closeup crowd cluster array handful jar"
)
"""Nouns before "of" that are not the main thing: it is the noun after it."""
PREPOSITIONS = _words(
    "with without in on at by of from to into onto for near under behind beside besides between against over above "
    "below inside outside around through across along beneath underneath next among amongst amid atop off up down "
    "toward towards during like as within upon past out away after before about featuring nearby outdoors indoors"
)
PLACES = _words(
    "in on at by near under behind beside between against over above below inside outside around through across "
    "along beneath underneath next among amongst amid atop within upon outdoors indoors into onto"
)
"""Prepositions that begin a place."""
STOPS = _words(
    "that which who whose while where when is are was were has have had does do being and but or it they he she "
    "there wears wear shows show looks sits stands lies holds should must can"
)
NO_SUBJECT = (
    PREPOSITIONS
    | STOPS
    | _words(
        "goes go more less fewer no not only just same change make turn replace swap remove add put place have zoom "
        "keep lose closer it they he she blur close open paint fill hang increase reduce decrease lessen give get "
        "leave set move different bring all pull cut fold brighten darken facing taken shot seen viewed without lie "
        "face position enlarge shorten lengthen raise switch rotate flip must be convert transform hide erase wipe "
        "ditch drop delete half twice double lighten hold take bring substitute try rotate let exclude omit insert "
        "transfer sprinkle pour drizzle scatter include includes attach slide crush place pull push tilt lessen "
        "arrange tie decorate stay widen serve grab reposition dismantle stick invert straighten"
    )
)
"""Words that never begin the description of a scene."""
PARTICIPLES = _words(
    "parked seen made held worn filled covered surrounded dressed tied placed laid shot taken topped stacked lined "
    "wrapped hung mounted attached displayed painted decorated set cut arranged photographed viewed located served "
    "built shown sat posed curled crouched turned stretched perched carried pulled drawn followed captured raised "
    "lifted left zoomed blurred focused stuffed dipped rested gathered tucked seated"
)
POSTURES = _words(
    "lying laying sitting standing sleeping running walking jumping swimming flying posing crouching kneeling "
    "resting hanging floating leaning climbing perched seated parked moving stretching curled napping playing "
    "dancing hiking surfing skiing riding driving sat laid crossing galloping trotting sailing crawling leaping grazing"
)
GAZES = _words("facing looking staring gazing turning turned")
NOUNS_IN_ING = _words(
    "something anything everything nothing "
    "building ceiling clothing string ring king wing thing painting railing evening morning drawing swing spring "
    "wedding pudding dressing earring flooring icing frosting lighting topping parking lettering "
    "writing living dining washing vending ping awning sibling duckling dumpling inkling wrapping fitting flowing "
    "form-fitting loose-fitting tight-fitting revealing "
    "concealing flattering"
)
VERBS = _words(
    "stand sit lie lay sleep run walk jump swim fly pose crouch kneel rest hang float lean climb move stretch play "
    "dance hike surf ski ride drive face look stare gaze turn hold carry eat drink bite chew wear kiss hug cuddle "
    "smile open close drip point pull push catch chase fight rise raise lift bend lick sniff bark yawn read cook "
    "work talk drag stick show rub scratch swing gather graze roll attack follow watch cross appear touch use cut "
    "say peel bring perch curl lower land dig paddle feed bathe huddle snuggle pet leap dive scoop knead pour spread "
    "approach leave overlap nap cover surround reach wrap display interact skate skateboard"
)
COMMANDS = _words(
    "take scatter arrange drape throw place put lay stretch spin roll twist crop tear tuck sprinkle pour toss drop "
    "line shift align separate shuffle mix crush crumple hang mount decorate paint fill press squeeze spray trim "
    "flip rotate tilt"
)
"""Imperatives about things, besides ``VERBS``, which name activities in a picture."""
DOUBLING = _words("sit run swim hug stop nap dig pet cut rub drip drag put get set chat hit skip")
ANIMALS = _words(
    "animal dog puppy pup cat kitten bird horse cow sheep goat pig monkey ape gorilla chimpanzee baboon lion tiger "
    "leopard cheetah wolf fox bear panda elephant zebra giraffe deer antelope buffalo bison warthog boar hog "
    "primate "
    "penguin seal walrus fish shark whale dolphin jellyfish crab lobster duck goose swan chicken hen rooster parrot "
    "eagle hawk owl vulture pelican ostrich hyena dingo hamster rabbit hare mouse rat squirrel beaver ferret "
    "hedgehog lizard snake turtle frog insect spider butterfly bee camel llama donkey pug poodle labrador husky "
    "doberman terrier retriever puppies ray stingray otter raccoon gazelle flamingo creature marmot gopher "
    "orangutan antelopes heron seagull gull pigeon crow sparrow turkey alligator crocodile"
)
PEOPLE = _words(
    "person man woman boy girl child kid baby guy lady people men women children adult toddler player rider skier "
    "surfer policeman couple human model friend doctor nurse monk graduate soldier chef somebody someone"
)
VEHICLES = _words(
    "vehicle car bus truck train van bike bicycle motorbike motorcycle scooter boat ship yacht plane airplane "
    "aircraft taxi tractor cart carriage ambulance tram convertible pickup"
)
FURNITURE = _words("couch sofa chair bench bed table desk armchair stool shelf cabinet")
DRINKS = _words("drink beer wine coke coffee tea juice water soda milk beverage cocktail")
FRUITS = _words(
    "fruit apple banana orange lemon grape pear peach strawberry fruits vegetables vegetable carrot broccoli"
)
FOODS = _words(
    "food pizza burger sandwich hot-dog pasta cake donut soup salad seafood omelet sushi bread pastry dish dessert "
    "sweet"
)
TOPS = _words(
    "t-shirt shirt sweater hoodie jacket top blouse tee tank tank-top polo cardigan pullover jumper sweatshirt vest "
    "tunic camisole bra leotard"
)
BOTTOMS = _words("skirt trousers pants jeans shorts leggings")
DRESSES = _words("dress gown coat jumpsuit romper robe sundress raincoat blazer suit")
WEARABLES = _words("hat cap shoe shoes boot boots bag handbag scarf glove gloves sock socks tie belt sandals sneakers")
GARMENTS = TOPS | BOTTOMS | DRESSES
KINDS = (ANIMALS, PEOPLE, VEHICLES, FURNITURE, DRINKS, FRUITS, FOODS, GARMENTS)
"""Nouns of one kind are compatible: "a bird instead of a cat" applies to "an animal in a sink"."""
GENERIC = _words(
    "it this that they them he she him one ones thing item garment product piece object everything subject"
)
CROWDS = _words("group groups herd flock pack bunch crowd couple pair litter lot lots cluster pile row")
"""Groups whose name goes when one member is left; one *glass of wine* stays a glass."""
HYPERNYMS = _words("animal creature primate person people vehicle")
"""Words for a whole kind: *more animals* means more of the animals in the caption."""
PARTS = _words(
    "fur hair feathers skin coat ears ear eyes eye face head tail mane beak wings legs leg paws tongue mouth teeth "
    "horns antlers collar leash lid label handle background backdrop lighting"
)
"""Parts of a thing, which never replace the thing."""
PLURAL_ONLY = _words(
    "trousers pants jeans shorts leggings scissors glasses sunglasses people men women children clothes"
)
MASS = _words(
    "water grass snow sand food hair fur lace text writing lettering embroidery fabric sky light sunlight sunshine "
    "wood furniture fruit milk beer wine coffee tea juice bread rice meat dirt mud smoke fog detail trim piping "
    "ruching colour color equipment foliage skin fringe cleavage leather denim silk greenery spray-paint shade "
    "shadow fire ice ground nature art spray paint fat pepperoni cheese sauce cream foam ketchup soup butter icing "
    "dust hay smoke steam bedding pasta garlic garnish jewelry luggage something anything everything"
)
FEATURES = {
    "sleeve": "sleeves", "sleeves": "sleeves", "neck": "neck", "neckline": "neck", "v-neck": "neck", "collar": "neck",
    "turtleneck": "neck", "turtle-neck": "neck", "crew-neck": "neck", "u-neck": "neck", "scoop-neck": "neck",
    "buttons": "button", "button": "button", "pocket": "pocket", "pockets": "pocket", "belt": "belt", "hood": "hood",
    "zipper": "zipper", "logo": "logo", "strap": "strap", "straps": "strap",
}  # fmt: skip
FEATURE_ORDER = ("sleeves", "neck", "button", "pocket", "belt")
IRREGULAR_PLURALS = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "geese": "goose", "mice": "mouse",
    "feet": "foot", "teeth": "tooth", "leaves": "leaf", "wolves": "wolf", "knives": "knife", "loaves": "loaf",
    "shelves": "shelf", "calves": "calf", "halves": "half", "buses": "bus", "puppies": "puppy", "monkies": "monkey",
    "glasses": "glasses", "sheep": "sheep", "fish": "fish", "deer": "deer", "dress": "dress", "grass": "grass",
    "glass": "glass", "trousers": "trousers", "scissors": "scissors", "lens": "lens", "bus": "bus",
    "octopus": "octopus", "cactus": "cactus", "canvas": "canvas", "tennis": "tennis", "gas": "gas", "shoes": "shoe",
    "horses": "horse", "cookies": "cookie", "ties": "tie", "pies": "pie", "vases": "vase", "huskies": "husky",
    "houses": "house", "cases": "case", "boxes": "box", "slices": "slice", "pieces": "piece", "noses": "nose",
    "zebras": "zebra", "birdies": "birdie", "movies": "movie", "roses": "rose", "blouses": "blouse", "pants": "pants",
    "jeans": "jeans", "shorts": "shorts", "lettuces": "lettuce", "purses": "purse", "faces": "face", "nurses": "nurse",
    "hot-dogs": "hot-dog", "leggings": "leggings", "gloves": "glove", "waves": "wave", "olives": "olive",
}  # fmt: skip


@lru_cache(maxsize=8192)
def slot_of(word: str) -> str:
    """The attribute that an adjective names, ``"other"`` for any other adjective, empty for a noun."""
    for slot, words in SLOT_WORDS.items():
        if word in words:
            return slot
    if word in OTHER_ADJECTIVES or word in COMPARABLE or _looks_like_adjective(word):
        return "other"
    return ""


_NOUN_ENDINGS = ("fish", "vegetable", "convertible", "handful", "mouthful", "spoonful", "olive", "radish", "necklace")


def _looks_like_adjective(word: str) -> bool:
    endings = ("ish", "ful", "less", "ous", "ive", "able", "ible", "esque", "coloured", "colored", "fitting", "looking")
    return len(word) > 5 and word.endswith(endings) and not word.endswith(_NOUN_ENDINGS)


def _comparatives() -> dict[str, str]:
    forms: dict[str, str] = {}
    for word in COMPARABLE:
        stem = word[:-1] + "i" if word.endswith("y") and word[-2] not in "aeiou" else word.removesuffix("e")
        short = len(word) <= 4 and word[-1] in "dgmnpt" and word[-2] in "aeiou" and word[-3:-2] not in tuple("aeiou")
        stem += stem[-1] * short
        forms |= {stem + "er": word, stem + "est": word}
    others = {"better": "good", "best": "good", "farther": "far", "further": "far", "greyer": "grey", "tiniest": "tiny"}
    return forms | others | {"darkest": "dark", "lightest": "light", "bluer": "blue", "larger": "large"}


CONTRARY = {
    "tall": "short", "short": "tall", "wet": "dry", "dry": "wet", "empty": "full", "full": "empty", "hot": "cold",
    "cold": "hot", "raw": "cooked", "cooked": "raw", "clean": "dirty", "dirty": "clean", "curly": "straight",
    "straight": "curly", "cloudy": "clear", "new": "old", "floppy": "pointed", "pointed": "floppy",
}  # fmt: skip
"""Pairs of adjectives that exclude each other, though neither has a slot."""
BODY = _words("head face eye eyes paw paws hand hands")
PICTURES = _words("painting drawing sketch cartoon illustration watercolour watercolor sculpture engraving mosaic")
"""Kinds of pictures that are a style: the content stays the same."""

COMPARATIVES = _comparatives()
"""``{"longer": "long", "flowiest": "flowy"}``."""
