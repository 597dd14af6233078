"""Read formulas and the cells of decision tables."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from waggle.services.feel.formula import Comparison, FeelMistake, Formula, Literal
from waggle.services.feel.functions import MANY_WORDS, TRUE_OR_FALSE
from waggle.services.feel.tokens import Token, tokens

_COMPARE: Final = ("=", "!=", "<", "<=", ">", ">=")
_WORDS: Final = frozenset({"and", "or", "then", "else", "in", "return", "satisfies", "between", "instance"})
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class _Term:
    """What is known of a part."""

    text: str
    path: str | None = None
    is_literal: bool = False
    value: Literal = None
    is_sure: bool = False
    """It is surely true or false."""


@lru_cache(maxsize=10_000)
def read_formula(text: str) -> Formula:
    """Read an expression, without the `=` that stands before it in a diagram.

    Raises:
        FeelMistake: it cannot be read.
    """
    reader = _Reader(text)
    if reader.now.kind == "end":
        raise FeelMistake("nothing stands behind the =", "write what is meant, or remove the =")
    whole = reader.expression()
    reader.expect_end()
    return reader.formula(whole)


@lru_cache(maxsize=10_000)
def read_tests(text: str) -> Formula:
    """Read the condition of one cell in a decision table.

    Raises:
        FeelMistake: it cannot be read.
    """
    reader = _Reader(text)
    whole = _Term(text)
    if text.strip() not in ("", "-"):
        whole = reader.tests()
        reader.expect_end()
    return reader.formula(whole)


class _Reader:
    """One pass over the words; each method reads one kind of part and returns what is known of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._own: list[str] = []
        """Names that the formula itself gives a meaning."""
        self._in_filter = 0
        self._reads: set[str] = set()
        self._calls: list[tuple[str, int]] = []
        self._comparisons: list[Comparison] = []
        self._differences: list[tuple[str, str]] = []
        self._unsure: list[str] = []
        self._check_brackets()

    @property
    def now(self) -> Token:
        return self._tokens[self._at]

    def formula(self, whole: _Term) -> Formula:
        return Formula(
            reads=frozenset(self._reads),
            calls=tuple(self._calls),
            comparisons=tuple(self._comparisons),
            differences=tuple(self._differences),
            unsure=tuple(self._unsure),
            is_true_or_false=whole.is_sure,
            path=whole.path,
            is_literal=whole.is_literal,
            value=whole.value,
        )

    def expect_end(self) -> None:
        token = self.now
        if token.kind == "end":
            return
        if token.kind == "text":
            raise FeelMistake(f'nothing joins "{token.text}" to what stands before it', "write + or = between the two")
        before = self._tokens[self._at - 1]
        if before.kind == token.kind == "name":
            raise FeelMistake(
                f'the words "{before.text} {token.text}" stand side by side',
                "names have no blank in them: write customer_id; two conditions are joined by and, or",
            )
        raise FeelMistake(
            f"it goes on with {token.text} where it should be complete",
            "look at what stands before it: a sign is missing, or a name has a blank in it",
        )

    def expression(self) -> _Term:
        start = self.now.start
        if self._word("if"):
            return self._choice(start)
        if self._word("for"):
            return self._loop("return", start)
        if self.now.text in ("some", "every") and self._next().kind == "name":
            self._at += 1
            return self._loop("satisfies", start)
        if self.now.text == "function" and self._next().text == "(":
            return self._function(start)
        return self._either(start)

    def tests(self) -> _Term:
        start = self.now.start
        if self.now.text == "not" and self._next().text == "(":
            self._at += 2
            self.tests()
            self._sign(")")
            return self._term(start)
        first = self._test()
        while self._take(","):
            first = self._term(start)
            self._test()
        return first

    def _check_brackets(self) -> None:
        open_ones: list[str] = []
        # An interval may begin with ] and end with [ or (: where two dots stand, brackets need not match.
        if any(token.text == ".." and token.kind == "sign" for token in self._tokens):
            return
        for token in self._tokens:
            if token.kind != "sign":
                continue
            if token.text in _CLOSING:
                open_ones.append(token.text)
            elif token.text in _CLOSING.values() and (not open_ones or _CLOSING[open_ones.pop()] != token.text):
                raise FeelMistake(f"the {token.text} closes nothing", "remove it, or open what it should close")
        if open_ones:
            raise FeelMistake(f"the {open_ones[-1]} is never closed", f"write {_CLOSING[open_ones[-1]]} where it ends")

    def _choice(self, start: int) -> _Term:
        self._boolean(self.expression())
        self._needs("then", "write if ... then ... else ...")
        first = self.expression()
        self._needs("else", "write else and what is meant otherwise, for example else null")
        second = self.expression()
        return self._term(start, is_sure=first.is_sure and second.is_sure)

    def _loop(self, word: str, start: int) -> _Term:
        begun = len(self._own)
        while True:
            name = self._name()
            self._needs("in", f"write {name} in and the list")
            self._interval_end(self.expression())
            self._own.append(name)
            if not self._take(","):
                break
        self._needs(word, f"write {word} and what is done with {name}")
        self.expression()
        del self._own[begun:]
        return self._term(start)

    def _function(self, start: int) -> _Term:
        self._at += 2
        begun = len(self._own)
        while not self._take(")"):
            self._own.append(self._name())
            if self._take(":"):
                self._name()
            self._take(",")
        self.expression()
        del self._own[begun:]
        return self._term(start)

    def _either(self, start: int) -> _Term:
        term = self._both(start)
        while self._word("or"):
            right = self._both(self.now.start)
            self._boolean(term, right)
            term = self._term(start, is_sure=term.is_sure and right.is_sure)
        return term

    def _both(self, start: int) -> _Term:
        term = self._comparison(start)
        while self._word("and"):
            right = self._comparison(self.now.start)
            self._boolean(term, right)
            term = self._term(start, is_sure=term.is_sure and right.is_sure)
        return term

    def _comparison(self, start: int) -> _Term:
        left = self._sum(start)
        while True:
            operator = self.now.text
            if self.now.kind == "sign" and operator in _COMPARE:
                self._at += 1
                right = self._sum(self.now.start)
                self._compare(left, operator, right)
                # Only with equality is null compared with as a value; null < 1 is null.
                left = self._term(start, is_sure=operator in ("=", "!="))
            elif self._word("between"):
                self._sum(self.now.start)
                self._needs("and", "write between ... and ...")
                self._sum(self.now.start)
                left = self._term(start)
            elif self._word("in"):
                self._inside(left)
                left = self._term(start)
            elif self.now.text == "instance" and self._next().text == "of":
                self._at += 2
                self._name()
                left = self._term(start, is_sure=True)
            else:
                return left

    def _inside(self, left: _Term) -> None:
        if self.now.text == "(" and self.now.kind == "sign":
            self._at += 1
            self._interval_end(self._compared(left))
            while self._take(","):
                self._compared(left)
            if self.now.text in (")", "]", "["):
                self._at += 1
            return
        self._compared(left)

    def _compared(self, left: _Term) -> _Term:
        right = self._test()
        self._compare(left, "=", right)
        return right

    def _compare(self, left: _Term, operator: str, right: _Term) -> None:
        for one, other in ((left, right), (right, left)):
            if one.path is not None and one.path in self._reads and other.is_literal:
                self._comparisons.append(Comparison(one.path, operator, other.value))

    def _sum(self, start: int) -> _Term:
        term = self._product(start)
        while self.now.kind == "sign" and self.now.text in ("+", "-"):
            sign, before = self.now, self._tokens[self._at - 1]
            self._at += 1
            right = self._product(self.now.start)
            # Blanks on both sides say that somebody meant to compute.
            is_tight = before.end == sign.start and self._text[sign.end : sign.end + 1].strip() != ""
            if sign.text == "-" and is_tight and term.path and right.path:
                self._differences.append((term.path, right.path))
            term = self._term(start)
        return term

    def _product(self, start: int) -> _Term:
        term = self._signed(start)
        while self.now.kind == "sign" and self.now.text in ("*", "/", "**"):
            self._at += 1
            self._signed(self.now.start)
            term = self._term(start)
        return term

    def _signed(self, start: int) -> _Term:
        if self._take("-"):
            term = self._signed(self.now.start)
            value = -term.value if isinstance(term.value, float) else term.value
            return self._term(start, is_literal=term.is_literal, value=value)
        return self._followed(self._part(), start)

    def _followed(self, term: _Term, start: int) -> _Term:
        while True:
            if self._take("."):
                name = self._name()
                term = self._term(start, path=self._longer(term.path, name))
            elif self._take("["):
                self._in_filter += 1
                self._interval_end(self.expression())
                self._in_filter -= 1
                self._sign("]")
                term = self._term(start)
            else:
                return term

    def _longer(self, path: str | None, name: str) -> str | None:
        if path is None:
            return None
        self._reads.discard(path)
        longer = f"{path}.{name}"
        self._read(longer)
        return longer

    def _part(self) -> _Term:
        token = self.now
        self._at += 1
        match token.kind:
            case "text":
                return _Term(token.text, is_literal=True, value=token.text)
            case "number":
                return _Term(token.text, is_literal=True, value=float(token.text))
            case "moment":
                return _Term(token.text)
            case "name":
                return self._named(token)
            case "sign" if token.text in ("(", "["):
                return self._list(token)
            case "sign" if token.text == "{":
                return self._context(token)
        raise self._incomplete(token)

    def _incomplete(self, token: Token) -> FeelMistake:
        before = self._tokens[self._at - 2].text if self._at > 1 else ""
        if token.kind == "end":
            return FeelMistake(f"it ends after {before}", "write what is missing there")
        return FeelMistake(
            f"{token.text} stands where a value should be", "write a variable, a number or a text before it"
        )

    def _named(self, token: Token) -> _Term:
        if token.text in ("true", "false"):
            return _Term(token.text, is_literal=True, value=token.text == "true", is_sure=True)
        if token.text == "null":
            return _Term(token.text, is_literal=True)
        if token.text in _WORDS:
            raise FeelMistake(
                f"the word {token.text} stands where a value should be", "write what is missing before it"
            )
        for words in MANY_WORDS:
            ahead = self._tokens[self._at - 1 : self._at + len(words)]
            if [each.text for each in ahead[:-1]] == words and ahead[-1].text == "(":
                self._at += len(words)
                return self._call(" ".join(words), token.start)
        if self._take("("):
            return self._call(token.text, token.start)
        self._read(token.text)
        return _Term(token.text, path=token.text)

    def _call(self, function: str, start: int) -> _Term:
        count, argument = 0, _Term("")
        while not self._take(")"):
            if self.now.kind == "name" and self._next().text == ":":
                self._at += 2
            argument = self.expression()
            if function == "not":
                self._boolean(argument)
            count += 1
            if not self._take(",") and self.now.text != ")":
                raise FeelMistake(f"{self.now.text or 'the end'} stands inside {function}(...)", "write a comma or )")
        if function not in self._own:
            self._calls.append((function, count))
        return self._term(start, is_sure=function in TRUE_OR_FALSE or (function == "not" and argument.is_sure))

    def _list(self, opening: Token) -> _Term:
        if self._take("]") or (opening.text == "(" and self._take(")")):
            return self._term(opening.start)
        first = self.expression()
        if self.now.text == "..":
            self._interval_end(first)
            return self._closed(opening.start)
        if opening.text == "(" and self._take(")"):
            return first
        while self._take(","):
            self.expression()
        self._sign(_CLOSING[opening.text])
        return self._term(opening.start)

    def _interval_end(self, _begin: _Term) -> None:
        if self._take(".."):
            self._sum(self.now.start)

    def _closed(self, start: int) -> _Term:
        if self.now.text not in (")", "]", "["):
            raise FeelMistake("an interval is never closed", "write it like [1..10]")
        self._at += 1
        return self._term(start)

    def _context(self, opening: Token) -> _Term:
        begun = len(self._own)
        while not self._take("}"):
            key = self.now
            self._at += 1
            if key.kind not in ("name", "text") or not self._take(":"):
                raise FeelMistake(f"{key.text} is no entry", "write entries like { reason: message_reason }")
            self.expression()
            self._own.append(key.text)
            if not self._take(",") and self.now.text != "}":
                raise FeelMistake(f"{self.now.text or 'the end'} stands between two entries", "write a comma")
        del self._own[begun:]
        return self._term(opening.start)

    def _test(self) -> _Term:
        start = self.now.start
        if self.now.kind == "sign" and self.now.text in _COMPARE:
            self._at += 1
            self._sum(self.now.start)
            return self._term(start)
        return self.expression()

    def _read(self, path: str) -> None:
        root = path.partition(".")[0]
        # Within a filter a name may be a field of the item, which nothing here can know.
        if root in self._own or root == "?" or self._in_filter:
            return
        self._reads.add(path)

    def _boolean(self, *terms: _Term) -> None:
        self._unsure += [term.text for term in terms if term.path is not None]

    def _term(
        self,
        start: int,
        *,
        path: str | None = None,
        is_literal: bool = False,
        value: Literal = None,
        is_sure: bool = False,
    ) -> _Term:
        text = self._text[start : self._tokens[self._at - 1].end]
        return _Term(text, path=path, is_literal=is_literal, value=value, is_sure=is_sure)

    def _next(self) -> Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def _take(self, sign: str) -> bool:
        if self.now.kind == "sign" and self.now.text == sign:
            self._at += 1
            return True
        return False

    def _word(self, word: str) -> bool:
        if self.now.kind == "name" and self.now.text == word:
            self._at += 1
            return True
        return False

    def _sign(self, sign: str) -> None:
        if not self._take(sign):
            raise FeelMistake(f"{self.now.text or 'the end'} stands where {sign} should be", f"write {sign} before it")

    def _needs(self, word: str, mend: str) -> None:
        if not self._word(word):
            raise FeelMistake(f"the word {word} is missing", mend)

    def _name(self) -> str:
        if self.now.kind != "name":
            raise FeelMistake(f"{self.now.text or 'the end'} stands where a name should be", "write a name")
        self._at += 1
        return self._tokens[self._at - 1].text
