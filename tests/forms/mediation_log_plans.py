"""Answers for the mediation log, to be laid over one another."""

from __future__ import annotations

from datetime import date, timedelta

Answers = dict[str, str]

LATER = (date.today() + timedelta(days=2)).isoformat()  # in the future in every time zone

MEETING: Answers = {
    "/meeting/kind": "council",
    "/meeting/started_at": "2025-03-05T09:30:00.000+08:00",
    "/meeting/minutes": "90",
    "/meeting/township": "520599101",
    "/meeting/village": "520599101201",
    "/meeting/place_kind": "yard",
    "/meeting/place": "27.3 105.3 1500 6.5",
    "/meeting/host": "甲",
    "/meeting/police": "乙、丙",
    "/meeting/police_count": "2",
    "/meeting/cadre_count": "3",
    "/meeting/villager_count": "20",
    "/meeting/other_count": "1",
    "/meeting/women_count": "9",
    "/has_disputes": "no",
    "/has_questions": "no",
    "/has_packages": "no",
    "/summary/signature": "signature.png",
}
DISPUTE: Answers = {
    "category": "neighbour",
    "neighbour_issue": "way",
    "source": "application",
    "rights_notice": "yes",
    "consent": "yes",
    "party_a/a_kind": "person",
    "party_a/a_name": "甲某",
    "party_a/a_id_number": "11010519491231002X",
    "party_a/a_phone": "13800000000",
    "party_b/b_kind": "organisation",
    "party_b/b_name": "某公司",
    "people_involved": "2",
    "facts": "甲方要求恢复道路。",
    "risk": "low",
    "measures": "law site_visit",
}
ORAL: Answers = {
    "result": "mediated",
    "agreement_form": "oral",
    "agreed_on": "2025-03-05",
    "oral_entry": "乙方三日内恢复道路。",
    "performance": "done",
    "followup_date": "2025-04-05",
    "followup": "satisfied",
    "closed": "yes",
    "closed_on": "2025-04-06",
}
ONGOING: Answers = {"result": "ongoing", "obstacle": "宽度谈不拢。", "next_date": "2025-03-12"}
REFERRED: Answers = {"result": "referred", "referred_to": "court", "referred_on": "2025-03-06", "closed": "no"}
QUESTION: Answers = {
    "question_topic": "fraud",
    "question": "退款短信可信吗？",
    "answer_state": "on_the_spot",
    "answer": "不可信。",
}
LATER_ANSWER: Answers = {
    "question_topic": "welfare",
    "question": "低保几时评？",
    "answer_state": "later",
    "answer_by": "civil_affairs",
    "answer_due": "2025-03-05",
}
PACKAGE: Answers = {"content": "三组道路塌方。", "receiving_body": "government", "due_date": "2025-04-01"}
WRITTEN: Answers = {
    "result": "mediated",
    "agreement_form": "written",
    "agreed_on": "2025-03-05",
    "agreement_photo": "agreement.jpg",
    "judicial_confirmation": "yes",
    "performance": "pending",
    "performance_due": "2025-03-05",
    "followup_date": "2099-04-05",
}
HIGH: Answers = {"risk": "high", "risk_reason": "多次报警", "risk_reported_to": "governance"}

# category -> the questions that it alone brings up
BRANCHES: dict[str, Answers] = {
    "family": {"violence": "no"},
    "neighbour": {"neighbour_issue": "water"},
    "homestead": {"land_mu": "0.2", "land_place": "27.3 105.3 0 0", "land_papers": "homestead agreement"},
    "damages": {"amount": "1200", "injury": "injured"},
    "contract": {"amount": "50000", "written_contract": "yes"},
    "land": {"land_mu": "3.5", "land_place": "27.3 105.3 1500 8", "land_papers": "none"},
    "expropriation": {"land_mu": "1.5", "land_place": "27.3 105.3 1500 8", "land_papers": "contract", "amount": "9000"},
    "labour": {"amount": "38000", "written_contract": "no", "workers": "12", "wage_arrears": "yes"},
    "governance": {"village_affair": "merger"},
    "environment": {"pollution": "livestock"},
    "traffic": {"amount": "8000", "injury": "none"},
    "medical": {"amount": "20000", "injury": "dead"},
    "property": {"amount": "600", "property_issue": "fee"},
    "other": {"category_other": "借牛未还"},
}
BRANCH_QUESTIONS = {name for branch in BRANCHES.values() for name in branch}


def at(repeat: str, *instances: Answers) -> Answers:
    """Answers of the instances of a repeat, and of the question that opens it."""
    answers = {f"/has_{repeat}": "yes"}
    for number, instance in enumerate(instances, start=1):
        answers |= {f"/{repeat}[{number}]/{name}": value for name, value in instance.items()}
    return answers
