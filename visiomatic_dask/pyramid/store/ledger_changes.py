"""What claims and commits make of a ledger. Pure.

A shard is a file that is read, changed and written whole: of two that write it at the same time, for whatever planes,
one loses what the other wrote. So a claim is on a whole shard, and while it holds, nobody else writes there. It can be
lost: who does not renew it may be dead, or only slow, or have left a task behind that still writes. Then this holds:

* What was done when the claim was taken over stays done: whoever writes, sooner or later, has read the shard with it.
* Who lost a claim and commits nevertheless has written, nobody knows when, what was there at the takeover and its own
  planes. It is refused; what others have committed since then is not done any more, for it may be lost, nor is anything
  above that was made from it; and a claim that others hold on the shard for other planes is taken from them, whose
  commit is refused in turn. All of it is built again, to the same bytes.
* Nobody learns of one that writes late and never commits, since whoever submitted it is gone. Therefore tasks look at
  the claim again right before they write (`Ledger.check_claim`).

Where both build the same planes, as is most likely, nothing is lost: they write the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from visiomatic_dask.pyramid.store.ledger_state import Claim, LedgerState, ShardRecord, Takeover
from visiomatic_dask.pyramid.store.plane_parts import PlaneParts
from visiomatic_dask.pyramid.store.plane_ranges import PlaneRanges
from visiomatic_dask.pyramid.store.pyramid import BuiltPiece, Piece
from visiomatic_dask.pyramid.store.shards import Shard
from visiomatic_dask.pyramid.store.statistics import RegionStatistics

_REMEMBERED = 86_400.0
"""Seconds for which it is known who lost a claim."""


class Claimed(NamedTuple):
    """Answer to a claim; every piece is in one of them.

    Attributes
    ----------
    granted : tuple of Piece
        What the owner may build now, and has to commit or release.
    done : tuple of Piece
        What is there.
    elsewhere : tuple of Piece
        What cannot be built now, since somebody builds something of its shard.
    """

    granted: tuple[Piece, ...] = ()
    done: tuple[Piece, ...] = ()
    elsewhere: tuple[Piece, ...] = ()


def claimed(
    state: LedgerState, pieces: Sequence[Piece], owner: str, now: float, life: float
) -> tuple[LedgerState, Claimed]:
    """Claim pieces for an owner, until `life` seconds from now."""
    draft = _Draft.of(state)
    granted: list[Piece] = []
    done: list[Piece] = []
    elsewhere: list[Piece] = []
    for piece in pieces:
        held = draft.claims.get(piece.shard)
        if state.is_done(piece.shard, piece.planes):
            done.append(piece)
        elif held is not None and not _may_have(held, piece, owner, now):
            elsewhere.append(piece)
        else:
            if held is not None and held.owner != owner:
                draft.take_away(piece.shard, now)
            draft.claims[piece.shard] = Claim(owner, piece.first, piece.last, now + life)
            granted.append(piece)
    answer = Claimed(tuple(granted), tuple(done), tuple(elsewhere))
    return (draft.state(now) if granted else state), answer


def renewed(state: LedgerState, owner: str, now: float, life: float) -> LedgerState:
    """Renew the claims that an owner still has, expired or not."""
    mine = {shard: claim for shard, claim in state.claims.items() if claim.owner == owner}
    longer = {shard: claim._replace(expires=now + life) for shard, claim in mine.items()}
    return replace(state, claims={**state.claims, **longer}) if mine else state


def released(state: LedgerState, owner: str, pieces: Iterable[Piece] | None) -> LedgerState:
    """Give up the claims of an owner, on some pieces or on all."""
    some = None if pieces is None else {(piece.shard, piece.planes) for piece in pieces}
    rest = {
        shard: claim
        for shard, claim in state.claims.items()
        if claim.owner != owner or (some is not None and (shard, claim.planes) not in some)
    }
    return replace(state, claims=rest) if len(rest) < len(state.claims) else state


def struck(state: LedgerState, lost: Sequence[Shard], now: float) -> LedgerState:
    """Undo shards whose files are lost or damaged, and all that lies above them."""
    draft = _Draft.of(state)
    for shard in lost:
        planes = draft.done(shard)
        draft.forget(shard, planes)
        draft.forget_above(shard.level, planes, now)
    return draft.state(now) if lost else state


def committed(
    state: LedgerState, owner: str, built: Sequence[BuiltPiece], now: float
) -> tuple[LedgerState, list[RegionStatistics]]:
    """Record what an owner has built, as far as it still has the claims.

    Returns
    -------
    state : LedgerState
        What was refused is not done in it, unless it was before.
    statistics : list of RegionStatistics
        Of whole planes that have become complete: to be written before the state is.

    Raises
    ------
    ValueError
        If the statistics of a piece are not those of its planes.
    """
    draft = _Draft.of(state)
    parts = _Parts(draft)
    changed = False
    for one in built:
        piece = one.piece
        claim = draft.claims.get(piece.shard)
        if claim is None or (claim.owner, claim.planes) != (owner, piece.planes):
            changed = draft.refuse(piece, owner, now) or changed
            continue
        changed = True
        del draft.claims[piece.shard]
        record = draft.shards.get(piece.shard, ShardRecord(PlaneRanges(), 0))
        draft.shards[piece.shard] = ShardRecord(record.done | PlaneRanges((piece.planes,)), one.written)
        parts.add(one)
    whole = parts.finish()
    return (draft.state(now) if changed else state), whole


def _may_have(held: Claim, piece: Piece, owner: str, now: float) -> bool:
    """Whether an owner may have a shard that somebody has claimed: itself for the same planes, or another too long ago.

    Its own claim is not too old for any owner: it must know whether its task still writes.
    """
    if held.owner == owner:
        return held.planes == piece.planes
    return held.expires <= now


@dataclass
class _Draft:
    """A state that is being changed."""

    before: LedgerState
    shards: dict[Shard, ShardRecord]
    claims: dict[Shard, Claim]
    takeovers: dict[Shard, tuple[Takeover, ...]]
    parts: dict[tuple[int, int], str]
    described: dict[int, PlaneRanges]

    @classmethod
    def of(cls, state: LedgerState) -> _Draft:
        return cls(
            state,
            dict(state.shards),
            dict(state.claims),
            dict(state.takeovers),
            dict(state.parts),
            dict(state.described),
        )

    def state(self, now: float) -> LedgerState:
        takeovers = {
            shard: rest
            for shard, some in self.takeovers.items()
            if (rest := tuple(one for one in some if one.time > now - _REMEMBERED))
        }
        return LedgerState(self.before.plan, self.shards, self.claims, takeovers, self.parts, self.described)

    def done(self, shard: Shard) -> PlaneRanges:
        record = self.shards.get(shard)
        return record.done if record else PlaneRanges()

    def take_away(self, shard: Shard, now: float) -> None:
        """Take a claim from its owner, and remember what was done by then."""
        claim = self.claims.pop(shard)
        known = self.takeovers.get(shard, ())
        self.takeovers[shard] = (*known, Takeover(claim.owner, now, self.done(shard)))

    def refuse(self, piece: Piece, owner: str, now: float) -> bool:
        """Undo what may be lost since an owner has written without a claim, and whether there was any."""
        lost_by_owner = [one for one in self.takeovers.get(piece.shard, ()) if one.owner == owner]
        if not lost_by_owner:  # committed twice, or given up before
            return False
        own = PlaneRanges((piece.planes,))
        kept = self.done(piece.shard)
        for one in lost_by_owner:
            kept = kept & (one.done | own)
        lost = self.done(piece.shard).without(kept)
        if lost.pairs:
            self.forget(piece.shard, lost)
            self.forget_above(piece.shard.level, lost, now)
        claim = self.claims.get(piece.shard)
        is_spoilt = claim is not None and claim.planes != piece.planes
        if is_spoilt:
            self.take_away(piece.shard, now)
        return is_spoilt or bool(lost.pairs)

    def forget(self, shard: Shard, planes: PlaneRanges) -> None:
        record = self.shards.get(shard)
        if record is not None:
            self.shards[shard] = record._replace(done=record.done.without(planes))

    def forget_above(self, level: int, planes: PlaneRanges, now: float) -> None:
        """Forget some planes at all levels above one, and take away claims on them."""
        for above in range(level + 1, len(self.before.plan.levels) + 1):
            self.described[above] = self.described.get(above, PlaneRanges()).without(planes)
            for plane in planes:
                self.parts.pop((above, plane), None)
            for pair in planes.pairs:
                for shard in self.before.plan.shards(above, pair):
                    self.forget(shard, planes)
                    claim = self.claims.get(shard)
                    if claim is not None and PlaneRanges((claim.planes,)).overlaps(pair):
                        self.take_away(shard, now)


class _Parts:
    """Statistics of parts, while pieces are added."""

    def __init__(self, draft: _Draft) -> None:
        self._draft = draft
        self._open: dict[tuple[int, int], PlaneParts] = {}
        self._whole: list[RegionStatistics] = []

    def add(self, built: BuiltPiece) -> None:
        shard = built.piece.shard
        _check(built)
        grid = self._draft.before.plan.grid(shard.level)
        count = grid.down * grid.across
        for one in built.statistics:
            where = one.level, one.plane
            if one.plane in self._draft.described.get(one.level, PlaneRanges()):
                continue
            if count == 1:
                self._finish(one)
                continue
            known = self._open.get(where)
            if known is None:
                text = self._draft.parts.get(where)
                known = PlaneParts.decode(text) if text else PlaneParts.none(len(one.histogram))
            known = known.having(shard.row * grid.across + shard.column, one)
            self._open[where] = known
            if len(known) == count:
                self._finish(known.merged(*where))

    def finish(self) -> list[RegionStatistics]:
        """Write what is still under way into the draft; return what is complete."""
        self._draft.parts.update({where: parts.encode() for where, parts in self._open.items()})
        return self._whole

    def _finish(self, whole: RegionStatistics) -> None:
        self._whole.append(whole)
        self._open.pop((whole.level, whole.plane), None)
        self._draft.parts.pop((whole.level, whole.plane), None)
        known = self._draft.described.get(whole.level, PlaneRanges())
        self._draft.described[whole.level] = known | PlaneRanges(((whole.plane, whole.plane + 1),))


def _check(built: BuiltPiece) -> None:
    piece = built.piece
    # Of copies of full resolution there are none.
    levels = {0: (), 1: (0, 1)}.get(piece.shard.level, (piece.shard.level,))
    expected = {(level, plane) for level in levels for plane in range(*piece.planes)}
    found = [(one.level, one.plane) for one in built.statistics]
    if len(found) != len(expected) or set(found) != expected:
        raise ValueError(f"statistics of {piece} are of (level, plane) {sorted(found)[:8]}, not of all of its planes")
