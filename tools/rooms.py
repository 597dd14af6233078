"""Import-linter's contract for one room of the house: an allow-list, where the stock contracts know deny-lists."""

import grimp
from importlinter import Contract, ContractCheck, fields, output


class RoomContract(Contract):
    """The modules of *rooms* import, of this repository, only themselves and what *may_import* names.

    Only direct imports are looked at: what a neighbour imports is said in that neighbour's own contract.
    """

    rooms = fields.ListField(subfield=fields.StringField())
    """Modules with all that is below them, except what another contract names more exactly in *except_*."""
    may_import = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    exempt = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    """Modules inside *rooms* that another contract speaks of."""

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - its signature
        """Find every import out of the room that is not allowed, as (importer, imported, line numbers)."""
        rooms: list[str] = self.rooms  # type: ignore[assignment]  # a field is replaced by its value
        exempt: list[str] = self.exempt  # type: ignore[assignment]
        allowed: list[str] = [*rooms, *self.may_import]  # type: ignore[misc]
        ours = self.session_options["root_packages"]
        found = [
            (importer, imported, _lines(graph, importer, imported))
            for importer in sorted(graph.modules)
            if _within(importer, rooms) and not _within(importer, exempt)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if _within(imported, ours) and not _within(imported, allowed)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported, lines in check.metadata["found"]:
            output.print_error(f"- {importer} -> {imported} (l. {lines})", bold=False)
        output.new_line()


def _within(module: str, packages: list[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _lines(graph: grimp.ImportGraph, importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    return ", ".join(str(detail["line_number"]) for detail in details)
