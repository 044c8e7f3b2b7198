"""What the meetings of the demonstration were about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Case:
    """A dispute: category, what happened, what was agreed, who takes it over, answers of its category."""

    category: str
    facts: str
    agreement: str
    body: str = "justice"
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A villager's question with its answer, and who else could answer it."""

    topic: str
    question: str
    answer: str
    body: str


CASES = (
    Case(
        "neighbour",
        "甲方在公共过道上砌了挡墙，乙方的农用车开不进院子，双方多次争吵。",
        "甲方拆除挡墙，恢复两米五宽的过道，七日内完成。",
        details={"neighbour_issue": "way"},
    ),
    Case(
        "neighbour",
        "甲方屋檐水和厨房污水排到乙方地基旁，乙方要求改沟。",
        "甲方沿自家墙脚修暗沟引到大沟，费用自理。",
        details={"neighbour_issue": "water"},
    ),
    Case(
        "neighbour",
        "乙方的牛跑到甲方玉米地，吃坏约半亩青苗。",
        "乙方按每亩四百元赔青苗款，当场付清。",
        details={"neighbour_issue": "animals"},
    ),
    Case(
        "homestead",
        "乙方翻建住房时超出原基脚，甲方认为占了自家宅基地一米。",
        "经现场丈量，乙方退让零点八米，恢复界石。",
        "land",
    ),
    Case(
        "land",
        "双方承包地相邻，田埂被水冲毁后对界线说法不一。",
        "以土地承包经营权证四至为准，双方共同重砌田埂。",
        "land",
    ),
    Case(
        "land",
        "甲方外出多年，承包地由乙方耕种，回村后要求收回。",
        "乙方收完这一季后交还，甲方补偿肥料款。",
        "agriculture",
    ),
    Case(
        "family",
        "兄弟二人对老人赡养分担意见不一，老人生活费三个月没有着落。",
        "长子、次子每月各付三百元，医药费平摊。",
        details={"violence": "no"},
    ),
    Case(
        "family",
        "夫妻因打工钱的用途争吵，女方回娘家，要求分开生活。",
        "双方同意共同管账，男方当面道歉。",
        "women",
        {"violence": "no"},
    ),
    Case("contract", "甲方租给乙方的门面到期，乙方欠两个月租金未付。", "乙方一周内付清欠租，继续租用一年。"),
    Case(
        "labour",
        "甲方等人在乙方工地做工，两个月工资没有结清。",
        "乙方分两次付清，第一次当场付一半。",
        "labour",
        {"workers": "4", "wage_arrears": "yes"},
    ),
    Case(
        "traffic",
        "摩托车与三轮车在村口相撞，双方对修车费和医药费有争议。",
        "乙方承担七成修车费和医药费。",
        "traffic_police",
    ),
    Case("damages", "孩子玩火烧了甲方的草垛和围栏。", "乙方监护人赔偿草料款，并帮助修复围栏。"),
    Case(
        "governance",
        "村民认为公益林补助的发放名单没有公开。",
        "村委会三日内张榜公示名单和金额。",
        "government",
        {"village_affair": "finance"},
    ),
    Case(
        "environment",
        "养猪场粪水流入水沟，下游农户取水有异味。",
        "养殖户清理水沟，一个月内建好沉淀池。",
        "environment",
        {"pollution": "livestock"},
    ),
)

OBSTACLES = (
    "赔偿数额差距较大，乙方只愿付一半",
    "界址说法不一，等自然资源所来丈量",
    "一方当事人外出务工，电话里没有谈拢",
)

QUESTIONS = (
    Question(
        "household",
        "孩子满一岁还没有上户口，要带什么材料？",
        "带出生医学证明和父母户口簿到派出所办理，当天办结。",
        "police",
    ),
    Question(
        "fraud",
        "接到电话说医保卡要停用，让下载软件，是不是真的？",
        "是诈骗。不点链接、不下软件，拨打96110核实。",
        "police",
    ),
    Question(
        "traffic", "农用三轮车能不能带人赶场？", "不能载人，交警在路口设有劝导点，可坐客运班车。", "traffic_police"
    ),
    Question(
        "welfare", "老人今年满八十，高龄津贴怎么申请？", "带身份证到村委会填表，村里统一报镇里。", "civil_affairs"
    ),
    Question("land", "退耕还林的补助今年什么时候发？", "镇里正在核实面积，公示后打到一卡通。", "forestry"),
    Question(
        "merger",
        "两个村合并以后，原来的承包证还有用吗？",
        "有用。承包关系、集体资产、债权债务、惠民政策都不变。",
        "government",
    ),
    Question(
        "law", "借出去的钱只有微信记录，能不能起诉？", "可以，聊天和转账记录都是证据，司法所可以帮助写诉状。", "justice"
    ),
)

PACKAGES = (
    ("三组通组路塌方约二十米，十二户出行绕路，要求修复挡墙。", "government"),
    ("村小门口没有减速带，学生上下学不安全，要求增设标志和减速带。", "traffic_police"),
    ("两处山塘堤坝渗水，下面住有九户，要求雨季前查险。", "agriculture"),
    ("村口变压器负荷不足，晚上电压低，四十多户受影响。", "government"),
    ("部分独居老人不会用手机办医保，要求每月定点上门办一次。", "civil_affairs"),
    ("松林里枯死木较多，有火灾隐患，要求清理防火带。", "forestry"),
)
