"""The township of the demonstration: villages, enumerators, families. Everything is made up, and the same every time.

County code 520599 does not exist, so no identity number made here can be anybody's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

COUNTY, TOWNSHIP = "520599", "520599101"


@dataclass(frozen=True, slots=True)
class Village:
    """A village and the centre of its settlement (WGS84 degrees, metres above the sea)."""

    code: str
    name: str
    short: str
    latitude: float
    longitude: float
    altitude: float
    groups: int


VILLAGES = (
    Village("520599101200", "石板村", "SB", 27.1002, 105.2003, 1236, 6),
    Village("520599101201", "大坪村", "DP", 27.1184, 105.2217, 1302, 5),
    Village("520599101202", "青杠村", "QG", 27.0853, 105.2331, 1185, 5),
)

#: Enumerators: three village cadres, a policeman, a surveyor.
ENUMERATORS = ("石板村 罗国华", "大坪村 陈秀英", "青杠村 杨光明", "派出所 王建军", "自然资源所 李志强")
POLICEMAN, SURVEYOR = 3, 4

_SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡罗郭何高林郑谢唐许邓韩冯曹彭曾肖田潘袁蒋蔡余杜叶程苏卢丁任范石龙"
_MALE = (
    "国华", "建军", "志强", "光明", "文忠", "德才", "明贵", "兴旺", "正平", "永福", "家富", "大勇",
    "世荣", "绍军", "昌林", "启明", "朝阳", "开祥", "应全", "廷贵", "浩", "磊", "鹏", "俊杰",
    "宇航",
)  # fmt: skip
_FEMALE = (
    "秀英", "桂芳", "玉兰", "凤仙", "国琴", "明珍", "仕芬", "光美", "昌群", "正芬", "丽", "燕",
    "婷", "敏", "小翠", "兴菊", "德秀", "朝碧", "应莲", "廷会", "雨欣", "思涵", "梦婷",
)  # fmt: skip
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def male_name(rng: Random, surname: str) -> str:
    """A man's name."""
    return surname + rng.choice(_MALE)


def female_name(rng: Random, surname: str) -> str:
    """A woman's name."""
    return surname + rng.choice(_FEMALE)


def surname(rng: Random) -> str:
    """A family name."""
    return rng.choice(_SURNAMES)


def id_number(rng: Random, born: date, male: bool) -> str:
    """An identity number with the checksum of GB 11643."""
    order = rng.randrange(0, 500) * 2 + (1 if male else 0)
    digits = f"{COUNTY}{born:%Y%m%d}{order:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True))
    return digits + "10X98765432"[total % 11]


def phone(rng: Random) -> str:
    """A mobile number with four zeros in the middle, so that it is seen to be made up."""
    return f"{rng.choice(('139', '151', '187', '180'))}0000{rng.randrange(10000):04d}"


def age_on(born: date, day: date) -> int:
    """Whole years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def birth_date(rng: Random, age: int, first: date, last: date) -> date:
    """A birthday of somebody who has that age on every day from `first` to `last`."""
    while True:
        born = first - timedelta(days=int((age + rng.random()) * 365.2425) + 1)
        if age_on(born, first) == age == age_on(born, last):
            return born


def place(rng: Random, village: Village, group: int, spread: float = 110.0) -> tuple[float, float, float]:
    """A place in a villager group's cluster of houses: latitude, longitude, altitude.

    Groups lie around the village's centre; `spread` is the standard deviation in metres.
    """
    angle = 2 * math.pi * group / village.groups + 0.4
    away = 350 + 130 * (group % 3)
    north = away * math.sin(angle) + rng.gauss(0, spread)
    east = away * math.cos(angle) + rng.gauss(0, spread)
    latitude, longitude = shifted(village.latitude, village.longitude, north, east)
    return latitude, longitude, village.altitude + 0.04 * north + rng.uniform(-6, 6)


def shifted(latitude: float, longitude: float, north: float, east: float) -> tuple[float, float]:
    """A place so many metres to the north and east."""
    return latitude + north / 110_850, longitude + east / (111_320 * math.cos(math.radians(latitude)))


def point(latitude: float, longitude: float, altitude: float, accuracy: float) -> str:
    """A place as a phone writes it."""
    return f"{round(latitude, 7)} {round(longitude, 7)} {altitude:.1f} {accuracy:.1f}"


def number(value: float) -> str:
    """A number as XPath writes it: no ``.0`` behind whole ones."""
    return str(int(value)) if float(value).is_integer() else str(round(value, 2))
