"""Words of several languages, numbers, prices and plates to write into images."""

import numpy as np

Rng = np.random.Generator

LANGUAGES = {
    "english": """invoice total receipt apple kitchen station garden window street coffee market
        battery exit danger welcome meeting report password account delivery customer library
        weather holiday ticket platform bakery pharmacy discount strawberry laundry exhibition""",
    "german": """Rechnung Straße Größe Bäckerei Frühstück Ausgang geöffnet Überweisung Schlüssel
        Fußgänger Geschäft Bahnhof Kühlschrank Gemüse Lieferung Käse Mülltonne Prüfung täglich
        Zahlung Öffnungszeiten Apotheke Getränke Süßwaren Rückgabe Vorsicht Brötchen Gebühr""",
    "french": """facture boulangerie fenêtre élève garçon château forêt pharmacie réunion
        médecin crème hôpital bibliothèque sécurité théâtre août numéro été déjà français leçon
        préférence livraison gâteau règlement entrée fermé où élections marché légumes""",
    "polish": """łódka żółty piętro księgarnia świeże miesiąc źródło ćwiczenia rachunek wyjście
        kawiarnia pociąg tydzień środa sklep zamówienie śniadanie gęś hasło jabłko książka
        płatność wrzesień ręcznik chleb mąka dworzec bilet łazienka kościół""",
    "turkish": """fatura çıkış sokağı güneş öğrenci şeker ılık yağmur çarşı büyük köprü ekmek
        kütüphane ücret şehir toplantı müşteri iğne dükkân öğle giriş kahvaltı sözlük indirim
        ağaç bahçe süt peynir hastane otobüs""",
}
"""Words may be written in capitals, except those of Turkish, whose i and ı differ."""

CJK = {
    "chinese": """出口 入口 发票 咖啡 地铁站 图书馆 欢迎光临 超市 医院 面包店 价格 营业时间 小心地滑
        银行 车票 会议室 早餐 苹果 北京 上海 学校 电影院 请勿吸烟 收据 密码""",
    "japanese": """出口 入口 領収書 コーヒー 図書館 いらっしゃいませ 営業中 病院 パン屋 値段 切符
        会議室 朝食 りんご 東京 京都 学校 映画館 禁煙 銀行 ありがとう 薬局 ラーメン 割引 駐車場""",
}

_LETTERS = list("ABCDEFGHJKLMNPRSTUVWXYZ")


def words_of(language: str) -> list[str]:
    """The words of one language."""
    return (LANGUAGES.get(language) or CJK[language]).split()


def draw_word(rng: Rng, language: str = "english") -> str:
    """A word of a language; one in five in capitals and one in five with a capital."""
    word = str(rng.choice(words_of(language)))
    if language in CJK or language == "turkish":  # i and İ
        return word
    style = rng.random()
    if style < 0.2 and "ß" not in word:
        return word.upper()
    return word[0].upper() + word[1:] if style < 0.4 else word


def draw_number(rng: Rng) -> str:
    """A number of three to eight digits."""
    return str(rng.integers(10 ** (length := int(rng.integers(2, 8))), 10 ** (length + 1)))


def draw_price(rng: Rng) -> str:
    """A price such as 12.95."""
    return f"{rng.integers(1, 200)}.{rng.integers(0, 100):02}"


def draw_plate(rng: Rng) -> str:
    """A number plate such as RE16 TGK."""
    front, back = ("".join(rng.choice(_LETTERS, count)) for count in (2, 3))
    return f"{front}{rng.integers(10, 99)} {back}"
