"""What readers of Korean see in place of the codes of labels, factors, references and their values."""

from collections.abc import Mapping

from schemas.vocabulary import CHANNELS_IN_KOREAN, REASONS_IN_KOREAN

LEVELS: Mapping[str, str] = {"basic": "베이직", "enhanced": "인핸스드", "premium": "프리미엄"}
"""The service levels."""

VALUES: Mapping[str, Mapping[str, str]] = {
    "channel": CHANNELS_IN_KOREAN,
    "service_level": LEVELS,
    "reason": REASONS_IN_KOREAN,
    "severity": {"critical": "긴급", "high": "높음", "medium": "보통", "low": "낮음"},
}
"""The values of labels and segments, by label."""

LABELS: Mapping[str, str] = {"rule": "규칙", "journey": "여정"}
"""The labels of groups that are no facts of an issue."""

REFS: Mapping[str, str] = {
    "order_id": "주문",
    "case_id": "접수",
    "parcel_id": "소포",
    "tracking_id": "소포",
    "return_id": "반품",
    "contract_id": "계약",
    "payment_id": "결제",
    "refund_id": "환불",
}
"""The references that many producers send."""

DISABLED_WHY: Mapping[str, str] = {"gone": "주소가 없어짐", "failing": "며칠간 실패함"}
"""Why an endpoint was disabled."""

FACTORS: Mapping[str, str] = {
    "severity": "심각도",
    "effort": "노력도",
    "repeats": "재연락",
    "value": "금액",
    "service_level": "등급",
    "deadline": "기한",
    "age": "경과",
    "settled": "해결된 듯",
    "customers": "고객 수",
}
"""The factors of a priority."""
