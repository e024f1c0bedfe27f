"""Synthetic residents: the same seed always makes the same people, on every Python.

None of them exists. Their citizen numbers are valid by form and check character but begin with
division codes 330195 to 330199, which GB/T 2260 has not assigned, so that no number is that of a
real person. The place of residence is a real district of Hangzhou, because screens name it.

The randomness is SHAKE-256 over the seed, 80 bytes a resident: specified bit by bit, unlike the
generators of the standard library, whose choices may change between versions.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

from schemas.identifiers.gb11643 import check_character

BIRTH_DIVISIONS: Final = ("330195", "330196", "330197", "330198", "330199")
HOME_DIVISIONS: Final = (
    *("330102", "330105", "330106", "330108", "330109", "330110", "330111"),
    *("330112", "330113", "330114", "330122", "330127", "330182"),
)
# The register's own today: nobody is born after it, whenever the register is built.
FIRST_BIRTH: Final = date(1931, 1, 1)
LAST_BIRTH: Final = date(2025, 12, 31)

_BYTES_EACH: Final = 80

# Surnames by how many people in ten thousand bear them, roughly.
_SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏"
    "魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵"
    "万钱严覃武戴莫孔向汤"
)
_COMPOUND_SURNAMES: Final = ("欧阳", "上官", "诸葛", "司马", "东方", "皇甫", "尉迟", "慕容")
_GIVEN_MALE: Final = (
    "伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林欢佳阳建亮成峰志文博晨瑞泽轩子涵"
    "浩然奕辰宏远嘉诚立国庆东海山川松柏"
)
_GIVEN_FEMALE: Final = (
    "芳娜敏静丽艳娟霞秀燕玲桂英红梅洁云莲雪琴晶倩莉婷慧颖琳雯欣怡佳梓涵诗雨萱语桐悦兰竹菊春夏秋月华"
    "玉凤珍珠宁芝荷茜蓉黛"
)
# Characters beyond those of everyday input methods, two of them beyond the Basic Multilingual
# Plane: real names have them, and software that cannot carry them fails its citizens.
_RARE: Final = ("喆", "犇", "堃", "㛃", "䶮", "𬭎", "𠅤")
_TRANSLITERATED: Final = {
    "维吾尔": (
        ("阿迪力", "买买提", "艾力", "库尔班"),
        ("古丽娜尔", "阿依古丽", "热依汗", "迪丽热巴"),
    ),
    "哈萨克": (("叶尔兰", "巴合提", "阿依肯"), ("阿依努尔", "古丽米热", "加娜尔")),
    "藏": (("扎西", "多吉", "次仁"), ("卓玛", "拉姆", "央金")),
}
# Parts in ten thousand.
_ETHNICITIES: Final = (
    *(("汉", 9480), ("土家", 90), ("苗", 90), ("畲", 80), ("回", 50), ("布依", 45), ("侗", 40)),
    *(("壮", 35), ("满", 30), ("彝", 20), ("朝鲜", 12), ("蒙古", 10), ("维吾尔", 8), ("藏", 6)),
    ("哈萨克", 4),
)
_ETHNICITY_BOUNDS: Final = tuple(accumulate(weight for _, weight in _ETHNICITIES))


@dataclass(frozen=True)
class Resident:
    """One row of the register. Kept out of `repr` like every person's data, synthetic or not."""

    name: str = field(repr=False)
    citizen_number: str = field(repr=False)
    sex: str = field(repr=False)
    birth_date: str = field(repr=False)
    ethnicity: str = field(repr=False)
    division: str = field(repr=False)

    def as_json(self) -> dict[str, str]:
        """The names that applications and requests use."""
        return {
            "name": self.name,
            "citizenNumber": self.citizen_number,
            "sex": self.sex,
            "birthDate": self.birth_date,
            "ethnicity": self.ethnicity,
            "division": self.division,
        }


def synthesize(seed: str, count: int) -> Iterator[Resident]:
    """`count` residents with distinct numbers; a longer run begins with the shorter one."""
    seen: set[str] = set()
    index = 0
    while len(seen) < count:
        material = hashlib.shake_256(f"zhenglian/register/v1\0{seed}\0{index}".encode()).digest(
            _BYTES_EACH
        )
        index += 1
        resident = _resident(_Dice(material))
        if resident.citizen_number not in seen:
            seen.add(resident.citizen_number)
            yield resident


class _Dice:
    """Numbers drawn from fixed bytes, four at a time; the bias of the remainder is below 10^-5."""

    def __init__(self, material: bytes) -> None:
        self._material = material
        self._used = 0

    def below(self, limit: int) -> int:
        piece = self._material[self._used : self._used + 4]
        if len(piece) < 4:
            raise RuntimeError("a resident drew more numbers than there are bytes")
        self._used += 4
        return int.from_bytes(piece, "big") % limit

    def pick(self, options: str | tuple[str, ...]) -> str:
        return options[self.below(len(options))]


def _resident(dice: _Dice) -> Resident:
    male = dice.below(2) == 0
    # The later of two draws: the share of an age falls linearly to none at the oldest.
    span = (LAST_BIRTH - FIRST_BIRTH).days
    birth = FIRST_BIRTH + timedelta(days=max(dice.below(span + 1), dice.below(span + 1)))
    sequence = 2 * dice.below(499) + (1 if male else 2)
    body = f"{dice.pick(BIRTH_DIVISIONS)}{birth:%Y%m%d}{sequence:03d}"
    ethnicity = _ETHNICITIES[bisect(_ETHNICITY_BOUNDS, dice.below(10_000))][0]
    return Resident(
        name=_name(dice, ethnicity, male=male),
        citizen_number=body + check_character(body),
        sex="male" if male else "female",
        birth_date=birth.isoformat(),
        ethnicity=ethnicity,
        division=dice.pick(HOME_DIVISIONS),
    )


def _name(dice: _Dice, ethnicity: str, *, male: bool) -> str:
    if ethnicity in _TRANSLITERATED:
        own = _TRANSLITERATED[ethnicity][0 if male else 1]
        fathers = _TRANSLITERATED[ethnicity][0]
        first = dice.pick(own)
        return first + ("" if ethnicity == "藏" else "·" + dice.pick(fathers))
    # Earlier surnames are the more frequent ones.
    surname = _SURNAMES[min(dice.below(len(_SURNAMES)), dice.below(len(_SURNAMES)))]
    if dice.below(200) == 0:
        surname = dice.pick(_COMPOUND_SURNAMES)
    given_characters = _GIVEN_MALE if male else _GIVEN_FEMALE
    given = dice.pick(given_characters)
    if dice.below(5):
        given += dice.pick(given_characters)
    if dice.below(100) == 0:
        given = given[:-1] + dice.pick(_RARE)
    return surname + given
