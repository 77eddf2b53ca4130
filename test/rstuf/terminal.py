"""A person at a terminal in front of the `rstuf` command, who reads the screen before typing."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

RSTUF = Path(__file__).parents[2] / ".cache/rstuf/venv/bin/rstuf"
COLUMNS, ROWS = 300, 100
DOWN = "\x1b[B"
TICK = "✓"


class Terminal:
    """One run of the command. Each method waits until the screen asks for what it types, or fails with the screen."""

    def __init__(self, arguments: list[str], home: Path):
        environment = {
            **os.environ,
            "HOME": str(home),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        # It would believe these rather than the terminal.
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environment.pop(name, None)
        self._command = " ".join(["rstuf", *arguments])
        self._child = pexpect.spawn(
            str(RSTUF),
            arguments,
            cwd=home,
            env=environment,
            dimensions=(ROWS, COLUMNS),
            encoding="utf-8",
            timeout=30,
        )
        self._child.delaybeforesend = None
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self._screen)
        self._transcript = ""

    def answer(self, question: str, text: str = "") -> None:
        """Types a line after a prompt. Nothing typed: takes what it suggests."""
        self._wait(lambda: question in self._cursor_line(), f"a prompt with {question!r}")
        self._child.send(f"{text}\r")
        # Otherwise the same question, asked again, would be taken for this one.
        self._wait(lambda: question not in self._cursor_line(), f"an end of {question!r}")

    def secret(self, question: str, text: str) -> None:
        """The same where what is typed is not shown."""
        self._wait(lambda: question in self._cursor_line(), f"a prompt with {question!r}")
        self._press(f"{text}\r")
        self._wait(lambda: question not in self._cursor_line(), f"an end of {question!r}")

    def choose(self, option: str) -> None:
        """Goes down a list to an option and takes it."""
        self._wait(lambda: option in self._options(), f"a list with {option!r}")
        self._point_at(option)
        before = self._options()
        self._press("\r")
        self._wait(lambda: self._options() != before, "the next step", patience=2, fail=False)

    def tick(self, option: str) -> None:
        """Ticks one option of a list where several may be ticked, and takes them."""
        self._wait(lambda: any(option in line for line in self._screen.display), f"a list with {option!r}")
        self._press(" ")
        self._wait(lambda: any(TICK in line and option in line for line in self._screen.display), "the tick")
        self._press("\r")

    def end(self) -> str:
        """Waits for the end of the command, and gives all that it said. Fails unless it says that all is well."""
        said, status = self.finish()
        assert status == 0, f"{self._command} ended with {status}:\n{said}"
        return said

    def finish(self) -> tuple[str, int | None]:
        """The same, however it ends."""
        while self._read():
            pass
        self._child.close()
        return self._transcript_text(), self._child.exitstatus

    def _point_at(self, option: str) -> None:
        for _ in range(len(self._options())):
            pointed = self._pointed()
            if pointed == option:
                return
            self._press(DOWN)
            self._wait(lambda before=pointed: self._pointed() != before, "the cursor to move")
        raise AssertionError(f"{self._command}: cannot reach {option!r}:\n{self._shown()}")

    def _press(self, keys: str) -> None:
        """Sends what is read without an echo: whatever came before the echo went off would be thrown away."""
        assert self._child.waitnoecho(timeout=30), f"{self._command} reads no key:\n{self._shown()}"
        self._child.send(keys)

    def _pointed(self) -> str | None:
        return next((line[2:].strip() for line in self._screen.display if line.startswith("> ")), None)

    def _options(self) -> list[str]:
        """The lines of the list on the screen: those around the one that is pointed at."""
        lines = [line.rstrip() for line in self._screen.display]
        at = next((index for index, line in enumerate(lines) if line.startswith("> ")), None)
        if at is None:
            return []
        first = last = at
        while first > 0 and lines[first - 1].startswith("  "):
            first -= 1
        while last + 1 < len(lines) and lines[last + 1].startswith("  "):
            last += 1
        return [line[2:].strip() for line in lines[first : last + 1]]

    def _cursor_line(self) -> str:
        return self._screen.display[self._screen.cursor.y]

    def _wait(self, holds: Callable[[], bool], what: str, patience: float = 30, fail: bool = True) -> None:
        end = time.monotonic() + patience
        while not holds():
            if not self._read(end - time.monotonic()) and not holds():
                if fail:
                    raise AssertionError(f"{self._command}: waited for {what}, and saw:\n{self._shown()}")
                return

    def _read(self, patience: float = 60) -> bool:
        """Takes what the command says next; false if it has ended or says nothing for so many seconds."""
        try:
            said = self._child.read_nonblocking(65536, timeout=max(patience, 0))
        except (pexpect.EOF, pexpect.TIMEOUT):
            return False
        self._transcript += said
        self._stream.feed(said)
        return True

    def _shown(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display).strip()

    def _transcript_text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", self._transcript)
