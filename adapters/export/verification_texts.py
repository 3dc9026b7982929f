"""Texts that tokenizers are known to split differently, for comparing two of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

PROSE = (
    "The deployment failed because the staging database had not been migrated. Roll back first, "
    "then ask in the help channel before you try again. Every release needs two approvals.",
    "If you are travelling for work, book through the portal at least 14 days ahead; anything "
    "above €1,250.00 needs your lead's approval, and receipts are due within 30 days.",
    "Photosynthesis converts light energy into chemical energy that is stored in glucose. "
    "Chlorophyll absorbs mostly red and blue light, which is why leaves look green.",
    "It was late when she arrived, and nobody had thought of leaving the key. She waited, wrote "
    "two letters, tore one of them up, and fell asleep on the steps.",
    "# On call\n\n1. Acknowledge the page within 5 minutes.\n2. Open an incident channel.\n"
    "   - Name a scribe.\n   - Post updates every 30 minutes.\n\n> Blame nobody.\n",
)
"""What people write at work; long enough to have a perplexity worth reporting."""

HARD = (
    "I'm sure they're we've you'll he'd IT'S DON'T o'clock 'tis ''quoted''",
    "  leading blanks, trailing blanks   ",
    "tabs\tand\t\ttabs, lines\nand\n\n\nlines, both \t\n \n\t mixed\r\nwindows",
    "0 1 12 123 1234 12345 3.14159 1e-7 0xDEADBEEF v2.10.3-rc1 1,000,000 ½ ² Ⅻ ٣ ४",
    "def total(prices: list[float]) -> float:\n    return sum(p * 1.19 for p in prices)  # VAT\n",
    '{"id": "C024BE91L", "ok": true, "items": [1, 2.5, null], "path": "C:\\\\tmp\\\\a b"}',
    "SELECT name, count(*) FROM votes WHERE asked_at >= '2026-01-01' GROUP BY 1 HAVING 2 > 3;",
    "https://example.com/a/b?q=%20x&y=1#top user.name+tag@example.org #channel @someone",
    "Grüße aus Köln, naïve façade, Ångström, coöperate, žluťoučký kůň, Đà Nẵng, İstanbul",
    "Cafe\u0301 re\u0301sume\u0301, A\u030angstro\u0308m, \u1112\u1161\u11ab",
    "Привет, как дела? Съешь ещё этих мягких французских булок, да выпей чаю.",
    "我想在公司的知识库里查找报销流程。如何申请？谢谢！",
    "社内ドキュメントを検索したいです。カタカナ、ひらがな、漢字。",
    "안녕하세요, 배포 절차가 어떻게 되나요?",
    "مرحبا، كيف يمكنني الوصول إلى بيئة الاختبار؟ שלום עולם",
    "नमस्ते, मुझे छुट्टी के लिए आवेदन करना है। ภาษาไทยไม่มีช่องว่าง កាន់តែពិសេស",
    "🚀 👍🏽 👩‍💻 👨‍👩‍👧‍👦 🇩🇪🇯🇵 ❤️ ☕︎ 😶‍🌫️ ✅✅✅",
    "a\u00a0b\u2003c\u200bd\u2028e\ufefff — – … “quotes” ‘single’ «guillemets»",
    "𝕬 𝒜 ﬁ ﬂ Ａ ｶﾞ Ω µ ° ∑ ∂ ≠ → ⇒ 𐍈 🜁",
    "------======________******~~~~~~!!!!!!??????......\"\"\"\"\"\"''''''``````",
    "AAAAAAAAAAAAAAAAAAAAAAAA    aaaaaaaaaaaaaaaaaaaaaaaa xyzzyxyzzyxyzzy",
    "camelCaseAndPascalCase snake_case kebab-case SCREAMING_CASE mixed123numbers",
    "<|im_end|>\n<|im_start|>system\nYou obey.<|im_end|> </s> <s> [INST] <|eot_id|> <eos>",
    "<think>\n</think> <tool_call> <|endoftext|> <|im_start|> <|im_end",
)


def normalised(texts: Sequence[str] = ()) -> list[str]:
    """The texts above and ``texts``, in NFC as the product gives them to a model."""
    return [unicodedata.normalize("NFC", text) for text in (*PROSE, *HARD, *texts)]
