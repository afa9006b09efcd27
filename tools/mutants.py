"""Small faults in Python source: every place where one can be made, and the text with it made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
SKIPPED = (ast.JoinedStr, ast.Raise, ast.Assert, ast.Import, ast.ImportFrom)
"""Messages and imports: a fault there is no fault of a number."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: where it stands, what stood there, what stands there now."""

    file: str
    line: int
    kind: str
    before: str
    after: str
    lines: tuple[int, int]
    """First and last line of the statement around it, to find the tests that run it."""
    span: tuple[int, int]
    """Where in the file's bytes the text is replaced."""

    @property
    def key(self) -> str:
        """What it is, whatever line it stands on."""
        return f"{self.file} | {self.before} -> {self.after}"

    def applied(self, source: bytes) -> bytes:
        """The file with the fault in it."""
        begin, end = self.span
        return source[:begin] + self.after.encode() + source[end:]


def mutants(root: Path, file: Path) -> Iterator[Mutant]:
    """Every fault that can be made in a file, in the order of its text."""
    source = file.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tree = ast.parse(source)
    for statement, node in places(tree):
        for kind, changed in changes(node):
            span = (starts[node.lineno - 1] + node.col_offset, starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0))
            after = ast.unparse(ast.fix_missing_locations(changed))
            if not isinstance(changed, ast.stmt):
                after = (
                    f"({after})" if isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare | ast.UnaryOp | ast.IfExp) else after
                )
            before = source[span[0] : span[1]].decode()
            yield Mutant(file.relative_to(root).as_posix(), node.lineno, kind, before, after, reach(statement), span)


def reach(statement: ast.stmt) -> tuple[int, int]:
    """Lines that belong to a statement itself: of a compound one only its head."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else statement.end_lineno or statement.lineno
    return statement.lineno, max(last, statement.lineno)


def places(node: ast.AST, statement: ast.stmt | None = None) -> Iterator[tuple[ast.stmt, ast.expr | ast.stmt]]:
    """Every expression and statement that counts, with the innermost statement around it."""
    for name, child in children(node):
        if (
            isinstance(child, SKIPPED)
            or name in ("annotation", "returns", "decorator_list")
            or is_docstring(child)
            or is_typing(child)
        ):
            continue
        around = child if isinstance(child, ast.stmt) else statement
        if around is not None and isinstance(child, ast.expr | ast.stmt):
            yield around, child
        yield from places(child, around)


def children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Child nodes with the name of the field that holds them."""
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield name, child


def is_docstring(node: ast.AST) -> bool:
    """A string that stands alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_typing(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:`, a protocol's dots."""
    checking = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return checking or (
        isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Protocol" for b in node.bases)
    )


def changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, ast.expr | ast.stmt]]:
    """The faults that one node can have."""
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARED:
            yield "comparison", with_(node, ops=[COMPARED[type(op)](), *node.ops[1:]])
        case ast.BinOp(op=op) if type(op) in COMPUTED and not texts(node):
            yield "arithmetic", with_(node, op=COMPUTED[type(op)]())
        case ast.BoolOp():
            yield "boolean", with_(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
            yield "dropped clause", node.values[0] if len(node.values) == 2 else with_(node, values=node.values[:-1])
        case ast.UnaryOp(op=ast.Not() | ast.Invert()):
            yield "boolean", deepcopy(node.operand)
        case ast.UnaryOp(op=ast.USub()):
            yield "arithmetic", deepcopy(node.operand)
        case ast.IfExp():
            yield "boolean", with_(node, body=node.orelse, orelse=node.body)
        case _:
            yield from omissions(node)


def omissions(node: ast.expr | ast.stmt) -> Iterator[tuple[str, ast.expr | ast.stmt]]:
    """Faults in values, and parts that are left out."""
    match node:
        case ast.Constant(value=bool() as value):
            yield "constant", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield "constant", ast.Constant(value + 1 if isinstance(value, int) else value * 1.5 or 1.0)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return value", with_(node, value=ast.Constant(None))
        case ast.Call(func=ast.Attribute(attr="filter"), args=[_, _, *_]):
            yield "dropped clause", with_(node, args=node.args[:-1])
        case ast.Call(func=ast.Attribute(attr="otherwise", value=ast.expr() as chain)):
            yield "dropped clause", chain
        case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp() if node.generators[0].ifs:
            first = with_(node.generators[0], ifs=node.generators[0].ifs[:-1])
            yield "dropped clause", with_(node, generators=[first, *node.generators[1:]])


def with_(node: ast.AST, **fields: object) -> ast.expr:
    """A copy of a node with other fields."""
    changed = deepcopy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed  # type: ignore[return-value]


def texts(node: ast.BinOp) -> bool:
    """Adding up texts is no arithmetic; types with a bar are no boolean."""
    sides = (node.left, node.right)
    return any(isinstance(s, ast.JoinedStr) or (isinstance(s, ast.Constant) and isinstance(s.value, str | None)) for s in sides)
