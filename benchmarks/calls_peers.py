"""DSPy's and LangChain's sides of the calls benchmark; runs in an environment that has them.

Each in the two ways it has: threads and asyncio. DSPy has a cache in memory and on disk, LangChain
one in memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.calls_measure import SYSTEM, Contender, main


async def gathered(
    one: Callable[[str], Awaitable[str]], texts: Sequence[str], concurrency: int
) -> list[str]:
    """All answers, at most so many asked at once."""
    gate = asyncio.Semaphore(concurrency)

    async def gated(text: str) -> str:
        async with gate:
            return await one(text)

    return await asyncio.gather(*map(gated, texts))


class DSPy:
    """``dspy.LM``, called in threads."""

    def __init__(self, folder: str) -> None:
        import dspy

        self.dspy = dspy
        dspy.configure_cache(
            enable_disk_cache=True, enable_memory_cache=True, disk_cache_dir=f"{folder}/dspy"
        )

    def model(self, url: str, cached: bool):  # type: ignore[no-untyped-def]
        return self.dspy.LM(
            "openai/tiny",
            api_base=url,
            api_key="none",
            cache=cached,
            temperature=0.0,
            max_tokens=64,
        )

    def turns(self, text: str) -> list[dict[str, str]]:
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]

    def many(
        self, url: str, texts: Sequence[str], concurrency: int, cached: bool = False
    ) -> list[str]:
        lm = self.model(url, cached)
        with ThreadPoolExecutor(concurrency) as pool:
            return list(pool.map(lambda text: said(lm(messages=self.turns(text))), texts))

    def forget_memory(self) -> bool:
        self.dspy.cache.reset_memory_cache()
        return True


class DSPyAsync(DSPy):
    """``dspy.LM``, awaited."""

    def many(
        self, url: str, texts: Sequence[str], concurrency: int, cached: bool = False
    ) -> list[str]:
        lm = self.model(url, cached)

        async def one(text: str) -> str:
            return said(await lm.acall(messages=self.turns(text)))

        return asyncio.run(gathered(one, texts, concurrency))


def said(outputs: list[object]) -> str:
    """The text of DSPy's first output."""
    (first,) = outputs
    return str(first["text"]) if isinstance(first, dict) else str(first)


class LangChain:
    """``ChatOpenAI`` by ``batch``, which uses threads."""

    def __init__(self, folder: str) -> None:
        from langchain_core.caches import InMemoryCache

        self.cache = InMemoryCache()

    def model(self, url: str, cached: bool):  # type: ignore[no-untyped-def]
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(
            model="tiny",
            base_url=url,
            api_key="none",
            temperature=0.0,
            max_tokens=64,
            cache=self.cache if cached else False,
        )

    def turns(self, text: str) -> list[tuple[str, str]]:
        return [("system", SYSTEM), ("user", text)]

    def many(
        self, url: str, texts: Sequence[str], concurrency: int, cached: bool = False
    ) -> list[str]:
        lm = self.model(url, cached)
        found = lm.batch(list(map(self.turns, texts)), {"max_concurrency": concurrency})
        return [str(each.content) for each in found]

    def forget_memory(self) -> bool:
        return False


class LangChainAsync(LangChain):
    """``ChatOpenAI``, awaited."""

    def many(
        self, url: str, texts: Sequence[str], concurrency: int, cached: bool = False
    ) -> list[str]:
        lm = self.model(url, cached)

        async def one(text: str) -> str:
            return str((await lm.ainvoke(self.turns(text))).content)

        return asyncio.run(gathered(one, texts, concurrency))


CONTENDERS: dict[str, type[Contender]] = {
    "dspy": DSPy,
    "dspy-async": DSPyAsync,
    "langchain": LangChain,
    "langchain-async": LangChainAsync,
}

if __name__ == "__main__":
    main(CONTENDERS)
