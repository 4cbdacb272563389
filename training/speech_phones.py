"""The phone inventory of the speech encoder, and how other alphabets map onto it.

ARPAbet's 39 phones plus "sil", widened by the sounds of other languages whose mouth shape differs: front rounded vowels
(YX as in German "ü", OE as in "ö"), trills and taps (RX), and back fricatives (XX as in "ach"). Sounds that look alike
on the lips share a class. Order matters: it is the order of the network's outputs.
"""

from __future__ import annotations

import unicodedata

PHONES = (
    "sil", "AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW", "YX", "OE",
    "B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "RX", "S", "SH", "T", "TH",
    "V", "W", "XX", "Y", "Z", "ZH",
)  # fmt: skip
INDEX = {name: i for i, name in enumerate(PHONES)}
STOPS = frozenset(INDEX[p] for p in ("B", "P", "D", "T", "G", "K", "CH", "JH"))
UNKNOWN = -1

_IPA = {
    "AA": "a ɑ ɐ ä ʌ̃ ɑ̃ ã", "AE": "æ", "AH": "ə ʌ ɜ ɘ ᵻ ɤ ɯ̽ ɪ̈", "AO": "ɔ ɒ ɔ̃ õ", "EH": "ɛ e̞ ɛ̃ ẽ", "ER": "ɚ ɝ",
    "EY": "e", "IH": "ɪ ɨ", "IY": "i ɯ", "OW": "o", "UH": "ʊ", "UW": "u ʉ", "YX": "y ʏ ɥ", "OE": "ø œ ɵ ɞ œ̃",
    "B": "b ɓ", "CH": "tʃ tɕ tʂ", "D": "d ɖ ɗ", "DH": "ð", "F": "f ɸ", "G": "ɡ g ɠ ɣ", "HH": "h ɦ ħ ʔ ʕ",
    "JH": "dʒ dʑ dʐ ɟ", "K": "k q c", "L": "l ɭ ʎ ɬ ɫ",
    "M": "m ɱ", "N": "n ɳ ɲ", "NG": "ŋ ɴ", "P": "p", "R": "ɹ ɻ", "RX": "r ɾ ɽ ʀ ʁ ɺ",
    "S": "s", "SH": "ʃ ɕ ʂ", "T": "t ʈ", "TH": "θ", "V": "v ʋ β", "W": "w ʍ", "XX": "x χ ç", "Y": "j ʝ", "Z": "z",
    "ZH": "ʒ ʑ ʐ",
}  # fmt: skip
_BASE = {symbol: phone for phone, symbols in _IPA.items() for symbol in symbols.split()}
_DIPHTHONGS = {
    "aɪ": "AY", "ai": "AY", "aj": "AY", "aʊ": "AW", "au": "AW", "eɪ": "EY", "ei": "EY", "oʊ": "OW", "əʊ": "OW",
    "ou": "OW", "ɔɪ": "OY", "ɔʏ": "OY", "ɔy": "OY", "oi": "OY", "ɪə": "IH", "iə": "IH", "eə": "EH", "ʊə": "UH",
    "ɜː": "ER",
    "əl": "L",
    "ts": "S", "dz": "Z", "pf": "F", "n̩": "N", "l̩": "L", "ɜɹ": "ER",
}  # fmt: skip
_MODIFIERS = "ːˑˈˌʲʰʷˠˤ̩̯̃̃͡.-ʼ̪̥̬̞̝̘̟̠ʱ̚'\"\u0306012345˥˦˧˨˩"


def from_ipa(symbol: str) -> int | None:
    """Class of an IPA segment; None for no sound at all ("" or a pause), UNKNOWN when it is not in the table."""
    if not symbol or symbol in "_:|":
        return None
    if symbol in _DIPHTHONGS:
        return INDEX[_DIPHTHONGS[symbol]]
    plain = "".join(c for c in unicodedata.normalize("NFC", symbol) if c not in _MODIFIERS)
    plain = "".join(c for c in plain if not unicodedata.combining(c) or c == "̧")
    for table in (_DIPHTHONGS, _BASE):
        for size in (3, 2, 1):
            if plain[:size] in table and len(plain) >= size:
                return INDEX[table[plain[:size]]]
    return UNKNOWN


_FLITE = {"pau": "sil", "ax": "AH", "axr": "ER", "dx": "RX", "en": "N", "el": "L", "em": "M", "nx": "N", "hv": "HH",
          "ssil": "sil", "brth": "sil", "h#": "sil"}  # fmt: skip


def from_arpabet(symbol: str) -> int:
    """Class of an ARPAbet phone in any spelling (stress digits and word positions dropped); UNKNOWN when none fits."""
    name = symbol.split("_")[0].rstrip("0123456789")
    name = _FLITE.get(name.lower(), name.upper())
    if name in ("SIL", "+NSN+", "<SIL>"):
        return INDEX["sil"]
    return INDEX.get(name, UNKNOWN)
