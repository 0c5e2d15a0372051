"""The vocabulary of synthetic text: words in several scripts, invented words and numbers."""

from collections.abc import Sequence

import numpy as np

_ENGLISH = """
about above access account after again air all along always amount anchor angle answer april
arrival art august aunt autumn avenue bakery balance band bank bargain basic bay before begin
below best better between big bill black blue board bonus book border bottom bought box branch
brand break bright bring broken brother build business buy cable calm camp candle capital card
care cash centre chance change cheap check child choice city clean clear close closed club coast
code coffee cold college common company contact corner cost count country course credit cross
daily dance danger date day dear december deep delivery desk detail dinner direct discount doctor
done door double down dream dress drink drive dry early earth east easy eight electric empty end
energy enter event ever every exact exit express extra fair family famous fashion fast february
festival figure final fine first five flat floor flow food force forward four free fresh friday
friend from full fun future garden gate general gift give glass gold good grand great green group
guest guide half hall hand happy hard harvest head health hello help here high hill history home
honest hope hospital hotel hour house hundred idea important index information inside invoice iron
island january job join july june just keep kind kitchen knowledge label lake lane language large
last late law learn left lesson letter level library life light limited line list little local
london long lost lot love low lucky lunch magic main major manual march market master material may
meeting member memory menu message metal middle midnight milk million minute modern moment monday
money month moon morning mother motor mountain museum music name natural near never new news next
night nine nobody noise noon north note nothing notice november number ocean october offer office
often oil old once one only open orange order organic original other outside oven over page paid
palace paper paradise park part party pass past peace people perfect person phone place plan please
plus point police pool popular port post power present press price pride private prize problem
product public pull pure push quality queen question quick quiet radio rain rate read ready real
record red remember rent repair report reserved rest result return right river road rock room round
royal safe sale saturday save school sea season second secret section sell send september service
seven shop short show side sign silver simple single sister six slow small smart smile smooth snow
social soft sold song soon south space special speed spring square staff stage standard star start
state station stay still stone stop storage store story street strong student studio style sugar
summer sun sunday super supply support sweet table take talk taste taxi teacher team ten thank
there thing third three thursday ticket time today together tomorrow tonight top total touch tour
tower town trade traffic travel trust truth tuesday twelve twenty two under union unit university
until upper use vacant valley value very victory view village visit voice wait walk wall want warm
warning water way weather wednesday week welcome west white whole wide win wind window winter wish
with wonder wood word work world year yellow yes yesterday young zero zone
"""

_OTHER_SCRIPTS = (
    "Straße Größe über schön müde Käse naïve été déjà français señor mañana corazón ação não",
    "город вода хлеб время дом улица книга свет новый открыто магазин метро рынок цена",
    "νερό πόλη φως δρόμος βιβλίο σπίτι αγορά θάλασσα καλημέρα χρόνος κόσμος τιμή",
    "出口 営業中 駅 本 水 東京 新聞 今日 電話 ありがとう コーヒー ラーメン 禁煙 入口",
    "中国 北京 饭店 超市 欢迎 银行 图书 大学 时间 学校 医院 火车 咖啡 请勿",
    "서울 안녕하세요 시장 학교 도서관 커피 병원 오늘 시간 환영 출구 물",
    "מים עיר ספר בית רחוב שוק שלום אור זמן דרך",
    "ماء مدينة كتاب بيت شارع سوق سلام نور وقت طريق",
    "पानी शहर किताब घर बाज़ार नमस्ते समय रास्ता",
    "น้ำ เมือง หนังสือ บ้าน ถนน ตลาด สวัสดี เวลา",
)

ENGLISH = tuple(_ENGLISH.split())
OTHER_SCRIPTS = tuple(tuple(words.split()) for words in _OTHER_SCRIPTS)

_VOWELS = (*"aeiou", "ea", "oo", "ai")
_STARTS = (*"bcdfghjklmnprstvwz", "st", "tr", "ch", "br", "pl", "sh")
_ENDS = ("", "", "n", "r", "s", "l", "t", "m", "nd", "lt")
_CURRENCIES = "$€£"


def random_text(rng: np.random.Generator, words: Sequence[str], count: int) -> list[str]:
    """Return `count` random words, invented words and numbers in one letter case."""
    chosen = [_random_word(rng, words) for _ in range(count)]
    letter_case = rng.random()
    if letter_case < 0.4:
        return [word.upper() for word in chosen]
    if letter_case < 0.65:
        return [word[:1].upper() + word[1:] for word in chosen]
    if letter_case < 0.85:
        return [chosen[0][:1].upper() + chosen[0][1:], *chosen[1:]]
    return chosen


def _random_word(rng: np.random.Generator, words: Sequence[str]) -> str:
    kind = rng.random()
    if kind < 0.62:
        return _choose(rng, words)
    return _invented_word(rng) if kind < 0.8 else _random_number(rng)


def _invented_word(rng: np.random.Generator) -> str:
    """A pronounceable word without meaning, so that the probe does not depend on meanings."""
    syllables = (
        _choose(rng, _STARTS) + _choose(rng, _VOWELS) + _choose(rng, _ENDS)
        for _ in range(rng.integers(1, 4))
    )
    return "".join(syllables)


def _random_number(rng: np.random.Generator) -> str:
    """A year, price, time, date, percentage, telephone number or code."""
    a, b, c = (int(n) for n in rng.integers(0, 100, 3))
    forms = (
        f"{a}",
        f"{a}{b:02}",
        f"{1900 + a + b % 25}",
        f"{_CURRENCIES[c % 3]}{a}.{b:02}",
        f"{a % 24}:{b % 60:02}",
        f"{a % 28 + 1:02}.{b % 12 + 1:02}.{1990 + c % 40}",
        f"{a}%",
        f"0{a}-{b:02}{c:02}{a:02}",
        f"{chr(65 + a % 26)}{chr(65 + b % 26)}-{c:02}{a:02}",
        f"#{b}",
    )
    return forms[rng.integers(len(forms))]


def _choose(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]
