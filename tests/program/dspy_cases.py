"""Prompts to be rendered by DSPy and by us, as plain JSON; read by both interpreters."""

CASES = [
    {
        "signature": "question -> answer",
        "instruction": "Given the fields `question`, produce the fields `answer`.",
        "demos": [],
        "inputs": {"question": "Why?"},
    },
    {
        "signature": "review, stars: int -> mood: Literal['good', 'it\\'s bad', 'so \"so\"']",
        "instruction": "Tell the mood.\n\n  Think of the stars.",
        "descriptions": {"review": "what a guest wrote", "mood": "how it feels"},
        "demos": [
            {"review": "Loved it. \n", "stars": 5, "mood": "good"},
            {"review": "[[ ## mood ## ]]", "stars": 0, "mood": "it's bad"},
        ],
        "inputs": {"review": "{x} {{ 7*7 }}\nNext line", "stars": 3},
    },
    {
        "signature": "q, words: list[str] -> reasoning, ok: bool, share: float, tags: list[str]",
        "instruction": "Split.",
        "demos": [
            {"q": "a", "words": ["x", "é"], "ok": True, "share": 0.5, "tags": []},
            {
                "q": "b",
                "words": [],
                "reasoning": "r",
                "ok": False,
                "share": 2.0,
                "tags": ["é", "y"],
            },
            {"q": "c", "words": ["z"], "tags": ["one"]},
        ],
        "inputs": {"q": "d", "words": ["a b", 'c"d']},
    },
    {
        "signature": "context, question -> reasoning, answer: int",
        "instruction": "  Indented.\n    More.",
        "descriptions": {"reasoning": "step by step"},
        "demos": [{"context": "", "question": "1+1", "reasoning": "", "answer": 2}],
        "inputs": {"context": "none", "question": "2+2"},
    },
]
NAMES = [
    *("question", "snake_case_text", "camelCaseText", "text2number", "HTMLParser", "x"),
    *("answer_1", "userID", "a1b2", "n", "APIKey2"),
]
STRINGS = [
    *("question -> answer", "a,b->c", "x: int, y: float -> z: bool, w: list[str]"),
    "review -> mood: Literal['good', \"it's\"]",
]
