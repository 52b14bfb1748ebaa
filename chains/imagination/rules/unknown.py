"""What of a modification the rules do not understand: other languages, other scripts, emoji, words they do not know.

The words themselves are searched for as they are, so that the encoder may know them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.edits import Edit, Set
from ipcir_tools.chains.imagination.rules.text import words_in
from ipcir_tools.chains.imagination.rules.utterances import GESTURES
from ipcir_tools.text import quote

SHOWN = 80
"""Characters of a modification in a warning."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OTHER_LANGUAGES = _words(
    """
    en bleu bleue bleus bleues rouge rouges vert verte verts jaune jaunes noir noire noirs blanc blanche gris grise
    marron avec sans dans sur sous pour mais plus moins très une le la les des du est sont chien chienne chat robe
    chemise jupe pantalon manches manche longues courtes longue court plage forêt nuit fond rayures rayé rayée fleurs
    chapeau vous moi je veux voudrais plaît plait merci bonjour même aussi même femme homme enfant voiture maison

    blau blaue blauen blauer blaues rote roten roter rotes grün grüne grünen grüner gelb gelbe gelben schwarz schwarze
    schwarzen weiß weiss weiße weißen grau graue braun braune rosa lila mit ohne auf unter neben hinter vor bei und oder
    aber nicht kein keine ein eine einen einem einer der das dem den des ist sind auch noch nur bitte danke hallo kleid
    hemd hund katze ärmel ärmeln lange kurze länger kürzer streifen gestreift punkte punkten blumen frau
    haus strand nacht hintergrund mehr weniger größer kleiner heller dunkler gleiche gleichen

    azul azules rojo roja rojos rojas amarillo amarilla negro negra negros blanco blanca blancos gris marrón con sin
    en pero más menos una el los las es son también por favor gracias hola vestido camisa falda pantalones perro gato
    mangas manga largas larga corta cortas rayas flores sombrero mujer hombre niño coche casa bosque playa noche fondo
    muy igual quiero hazlo ponlo cambia añade quita

    blu rosso rossa rosse verdi giallo gialla nero nera neri bianco bianca grigio con senza ma più meno una il lo gli
    della dello nel nella anche vestito camicia gonna cane gatto maniche lunghe corte righe fiori cappello donna uomo
    bosco spiaggia notte sfondo grazie ciao uguale

    blauw blauwe rood rode groen groene geel gele zwart zwarte wit witte grijs met zonder maar niet geen een het jurk
    rok hond mouwen strepen bloemen hoed vrouw strand bos nacht

    vermelho vermelha preto preta branco branca com sem mas mais uma o os as também obrigado vestido camisa saia cão
    listras flores chapéu mulher homem praia floresta noite
    """
) - _words(
    "la le plus fond gris rosa lila des du est o os as mas com sin mais court sale moi con el los den die pour marron "
    "una auto mann kind rock hose hut was rode het wit rot bos lo en robe sombrero es"
)
"""Frequent words of French, German, Spanish, Italian, Dutch and Portuguese that are no English ones."""
_WITH_COMPANY = _words("en la le les des du con el los una in plus est moi das der robe es")
"""Words that are English ones too, or names of things: they count beside a foreign word."""
_ENGLISH_ACCENTS = _words("café décor décolletage décolleté appliqué lamé rosé crème jalapeño piñata façade")


_KNOWN_WORDS = frozenset({"and", "all", "in", "one", "same", "different", "similar", "size", "style", "text"}).union(
    *(lexicon.SHADES, lexicon.TINTS, lexicon.STOPS, lexicon.GENERIC, lexicon.MASS, lexicon.PARTS, lexicon.FEATURES),
    *(lexicon.PATTERN_NOUNS, lexicon.WEARABLES, lexicon.DETERMINERS, lexicon.PREPOSITIONS, *lexicon.KINDS),
    ("texture", "graphic", "pattern", "print", "shape", "fit", "length", "phrase", "costume", "greyscale", "off-white"),
)
_ENGLISH_ENDING = re.compile(r"(?:ed|er|est|ing|y|ic|al|ern|ian|ant|ent|ure|like|free|style|a-line|toned)$")
"""Endings of adjectives that the lists lack, which an encoder knows."""


@dataclass(frozen=True)
class Unknown:
    """What the rules do not understand of a text."""

    words: tuple[str, ...] = ()
    """In the order of the text, in lower case."""
    whole: bool = False
    """Whether so much of it that the rest tells nothing."""


def unknown_words(modification: str) -> Unknown:
    """The words of other languages and scripts and the emoji of a text; a few English ones change nothing of that."""
    flat = unicodedata.normalize("NFKC", modification).lower()
    words = words_in(flat)
    emoji = [
        char
        for char in GESTURES.sub("", flat)
        if unicodedata.category(char) == "So" and not char.isascii() and char not in "©®™°"
    ]
    foreign = [word for word in words if _is_foreign(word)]
    company = [word for word in words if word in _WITH_COMPANY]
    whole = bool(foreign) and 2 * (len(foreign) + len(company)) >= len(words)
    return Unknown(tuple(dict.fromkeys([*foreign, *emoji])), whole)


def _is_foreign(word: str) -> bool:
    if word in _OTHER_LANGUAGES:
        return True
    if word.isascii() or word in _ENGLISH_ACCENTS:
        return False
    names = [unicodedata.name(char, "") for char in word if char.isalpha()]
    return any(not name.startswith("LATIN") for name in names) or bool(re.search(r"[à-öø-ÿßœ]", word))


def unknown_looks(edits: list[Edit]) -> tuple[str, ...]:
    """Words that were taken for adjectives because of their place alone: *make it more wabi-sabi*."""
    words = [word.strip(",") for edit in edits if isinstance(edit, Set) for word in edit.text.split()]
    return tuple(
        word for word in words if not (word in _KNOWN_WORDS or lexicon.slot_of(word) or _ENGLISH_ENDING.search(word))
    )


def not_understood(words: str) -> str:
    """The warning about words that were not understood."""
    return (
        f"the rules did not understand {quote(words, SHOWN)}: searched with the words as they are; an --llm "
        "understands more"
    )
