"""What a machine must be changed to, so that a demand is held: the fewest settings. No I/O.

The sizing itself is asked, with settings raised and with each left as it is; without any one of
the changes the demand is not held. Nothing is lowered.
"""

from __future__ import annotations

import math

import msgspec

from holdfast.model.errors import Impossible
from holdfast.model.limit import Limit
from holdfast.model.path import Demand, Hop, Host, Path
from holdfast.model.tuning import Need, Standing, Tuning
from holdfast.model.units import format_bytes
from holdfast.model.values import Value, derived, observed
from holdfast.programs import tunables as names
from holdfast.programs.kernel import SYN_BACKLOG_SHARE, socket_ends
from holdfast.programs.ports import format_ports, parse_ports, reserved_of
from holdfast.programs.tunables import BY_SETTING, TUNABLES, Tunable
from holdfast.sizing.admission import held_to, with_room
from holdfast.sizing.layout import Layout
from holdfast.sizing.path import all_limits, attempt, needed, scaled, size
from holdfast.sizing.port_range import Range, widened, widest

SPARED = (
    *(names.MEMORY_MAX, names.CPU_MAX, names.PIDS_MAX, names.PORT_RANGE, names.NR_OPEN),
    *(names.NOFILE, names.CONNTRACK_MAX, names.PID_MAX, names.THREADS_MAX, names.FILE_MAX),
    *(names.SYN_BACKLOG, names.SOMAXCONN),
)
"""What can be raised, those first that are better left alone: others' to set, then traps."""
MIB = 2**20


def tune(demand: Demand, host: Host, layout: Layout, listening: Value) -> Tuning:
    """Compare `host` with what holding `demand` takes, and name the fewest changes.

    `listening` is the list of ports that programs listen on (None: unknown, and then no port range
    is proposed). Raises Impossible where no change of a setting is enough.
    """
    machine = _Machine(host, listening)
    raised = _fewest(demand, machine, layout)
    path = attempt(demand, machine.raised(raised), layout)[0]
    needs = _Needs(demand, machine, layout, raised, path).all()
    changed = with_changes(host, needs)
    fits, narrower = demand.in_flight, None
    if raised:
        fits = _fits(demand, host, layout)
        narrower = size(scaled(demand, fits), host, layout) if fits else None
    path = size(demand, changed, layout)
    return Tuning(demand, needs, path, fits, narrower if raised else path)


def with_changes(host: Host, needs: tuple[Need, ...]) -> Host:
    """The host as it is once the changes are made; what each setting means to a plan follows."""
    for need in needs:
        if need.wanted is None:
            continue
        wanted = need.wanted
        if need.setting == names.PORT_RANGE:
            low, high = (int(word) for word in str(wanted.value).split())
            host = _with(host, port_low=low, port_high=high)
        elif need.setting == names.RESERVED_PORTS:
            host = _with(host, reserved_ports=str(wanted.value))
        elif need.setting == names.CPU_MAX:
            cores = min(wanted.number, _number(host, "cpu_affinity_cores"))
            host = msgspec.structs.replace(_with(host, cpu_quota_cores=wanted.number), cores=cores)
        elif need.setting == names.MEMORY_MAX:
            more = _number(host, "memory_available") + wanted.number - need.now.number
            left = min(more, _number(host, "host_memory_available"))
            host = _with(host, cgroup_memory_max=wanted.number, memory_available=left)
        else:
            host = _with(host, **{BY_SETTING[need.setting].value: wanted.number})
    return host


class _Machine:
    """A host, and the same with some settings raised as far as they go."""

    def __init__(self, host: Host, listening: Value) -> None:
        self.host = host
        self.listening = listening
        known = (_number(host, "port_low"), _number(host, "port_high"))
        self.ports: Range | None = None
        if listening.value is not None and not any(math.isinf(end) for end in known):
            self.ports = Range(int(known[0]), int(known[1]), reserved_of(host))

    @property
    def listeners(self) -> frozenset[int]:
        """Ports that programs listen on."""
        return parse_ports(str(self.listening.value))

    def raisable(self) -> frozenset[str]:
        """The settings that somebody can raise; a hard limit that even root cannot is not one."""
        found = {n for n in SPARED if _known(self.host, BY_SETTING[n].value)}
        if self.ports is None:
            found.discard(names.PORT_RANGE)
        if not self.may_raise_nofile and self.is_root:
            found -= {names.NOFILE, names.NR_OPEN}
        return frozenset(found)

    @property
    def may_raise_nofile(self) -> bool:
        """Whether raising the hard limit was tried, and could be done."""
        told = self.host.get("nofile_raisable")
        return told is not None and told.value is True

    @property
    def is_root(self) -> bool:
        """Whether the one who tried is root, so that nobody else here can do more."""
        return _number(self.host, "uid") == 0

    def raised(self, settings: frozenset[str]) -> Host:
        """The host with these settings as high as they can be."""
        host = self.host
        for setting in settings:
            if setting == names.PORT_RANGE:
                assert self.ports is not None
                most = widest(self.ports, self.listeners)
                reserved = format_ports(most.reserved)
                host = _with(host, port_low=most.low, port_high=most.high, reserved_ports=reserved)
            elif setting == names.MEMORY_MAX:
                left = _number(self.host, "host_memory_available")
                host = _with(host, memory_available=left)
            elif setting == names.CPU_MAX:
                cores = _number(self.host, "cpu_affinity_cores")
                host = msgspec.structs.replace(host, cores=max(host.cores, cores))
            elif setting == names.NOFILE:
                end = float(names.HIGHEST_NR_OPEN)
                if names.NR_OPEN not in settings:
                    end = min(end, _number(self.host, "nr_open"))
                host = _with(host, nofile_hard=max(end, _number(self.host, "nofile_hard")))
            elif setting != names.NR_OPEN:
                host = _with(host, **{BY_SETTING[setting].value: math.inf})
        return host


def _fewest(demand: Demand, machine: _Machine, layout: Layout) -> frozenset[str]:
    """The settings to raise: all, less each that can be left as it is. Raises Impossible.

    One that was needed beside another need not be once that one is left: so more than one round.
    """

    def holds(settings: frozenset[str]) -> bool:
        return attempt(demand, machine.raised(settings), layout)[1] is None

    if holds(frozenset()):
        return frozenset()
    settings = machine.raisable()
    if not holds(settings):
        raise _impossible(demand, machine, settings, layout)
    spared = SPARED if machine.may_raise_nofile else (names.NR_OPEN, names.NOFILE, *SPARED)
    before: frozenset[str] = frozenset()
    while settings != before:
        before = settings
        for setting in (one for one in spared if one in before):
            if holds(settings - {setting}):
                settings -= {setting}
    return settings


def _impossible(
    demand: Demand, machine: _Machine, settings: frozenset[str], layout: Layout
) -> Impossible:
    as_it_is = _fits(demand, machine.host, layout)
    try:
        size(demand, machine.raised(settings), layout)
    except Impossible as short:
        if short.fits > as_it_is:
            short.hint = (
                f"{short.fits:,} in flight fit once this machine is tuned "
                f"(`holdfast tune -n {short.fits}`), {as_it_is:,} as it is"
            )
        return short
    raise AssertionError("what does not hold is Impossible")


def _fits(demand: Demand, host: Host, layout: Layout) -> int:
    try:
        size(demand, host, layout)
    except Impossible as short:
        return short.fits
    return demand.in_flight


class _Needs:
    """Each row against the limits of the path that is to be held."""

    def __init__(
        self,
        demand: Demand,
        machine: _Machine,
        layout: Layout,
        raised: frozenset[str],
        path: Path,
    ) -> None:
        self.demand, self.machine, self.layout = demand, machine, layout
        self.raised, self.path = raised, path
        self.limits: dict[str, tuple[float, Limit]] = {}
        for limit in all_limits(path, with_room(demand, layout.beyond)):
            found = needed(limit, held_to(limit, demand, layout.beyond))
            if found > self.limits.get(limit.resource, (-1.0, limit))[0]:
                self.limits[limit.resource] = found, limit

    def all(self) -> tuple[Need, ...]:
        """Every row's need, in the rows' order."""
        return tuple(self._need(row) for row in TUNABLES)

    def _need(self, row: Tunable) -> Need:
        now = self._now(row)
        if row.setting in {names.PORT_RANGE, names.RESERVED_PORTS}:
            wanted, why = self._port_range(row)
        elif row.setting in self.raised:
            wanted, why = self._wanted(row, now)
        else:
            wanted, why = None, self._why(row)
        standing = Standing.ENOUGH
        if now.value is None and not self._is_idle(row):
            standing, why = Standing.UNKNOWN, now.why
        elif wanted is not None:
            sure = row.setting != names.NOFILE or self.machine.may_raise_nofile
            standing = Standing.CHANGE if sure else Standing.UNKNOWN
        elif row.setting == names.TCP_MEM or self._unseen(row):
            standing = Standing.UNKNOWN
        return Need(row.setting, row.keeper, standing, now, wanted, why, row.who)

    def _now(self, row: Tunable) -> Value:
        value = self.machine.host.get(row.value) or observed(row.value, None, "not read")
        high = self.machine.host.get("port_high")
        if row.setting == names.PORT_RANGE and value.value is not None and high is not None:
            return observed(row.setting, f"{value.value} {high.value}", value.why)
        return msgspec.structs.replace(value, setting=row.setting)

    def _is_idle(self, row: Tunable) -> bool:
        """Whether the setting holds nothing back: nothing is tracked where nothing was loaded."""
        tracks = self.machine.host.get("conntrack_tracks")
        return row.setting == names.CONNTRACK_MAX and tracks is not None and tracks.value is False

    def _unseen(self, row: Tunable) -> bool:
        """Whether something besides the setting itself had to be known, and is not."""
        tracks = self.machine.host.get("conntrack_tracks")
        if row.setting == names.CONNTRACK_MAX:
            return tracks is None or tracks.value is None
        return row.setting == names.PORT_RANGE and self.machine.ports is None

    def _wanted(self, row: Tunable, now: Value) -> tuple[Value, str]:
        """The value to set, and the formula: what the limit needs, rounded up to stay round."""
        if row.setting == names.NR_OPEN:
            need, limit = self.limits[BY_SETTING[names.NOFILE].resource]
        elif row.resource in self.limits:
            need, limit = self.limits[row.resource]
        else:
            return self._for_queues(row, now)
        value, rounding = _round_up(row, need, now, self.machine.host)
        why = f"{limit.resource} of {limit.hop}: {limit.formula}; {_plain(row, need)} needed"
        return derived(row.setting, value, f"{why}, {rounding}"), why

    def _for_queues(self, row: Tunable, now: Value) -> tuple[Value, str]:
        """The half-open queue that lets sockets have their backlogs, where nobody said a burst."""
        need = max(_number(hop, "backlog", 0.0) for hop in self.path.hops) / SYN_BACKLOG_SHARE
        value, rounding = _round_up(row, need, now, self.machine.host)
        why = f"backlogs of up to {SYN_BACKLOG_SHARE:.0%} of it; {_plain(row, need)} needed"
        return derived(row.setting, value, f"{why}, {rounding}"), why

    def _port_range(self, row: Tunable) -> tuple[Value | None, str]:
        ports = self.machine.ports
        if names.PORT_RANGE not in self.raised or ports is None:
            return None, self._why(row)
        need, limit = self.limits["ports"]
        chosen = widened(ports, math.ceil(need), self.machine.listeners)
        assert chosen is not None, "the widest range holds it"
        why = f"{limit.resource} of {limit.hop}: {limit.formula}; {need:,.0f} needed"
        if row.setting == names.PORT_RANGE:
            why += f", from {names.LOWEST_OUTGOING:,} up and on no listener"
            return derived(row.setting, f"{chosen.low} {chosen.high}", why), why
        kept = chosen.reserved - ports.reserved
        if not kept:
            return None, "no program listens in the range"
        why = f"programs listen on {format_ports(kept)}, inside the range"
        return derived(row.setting, format_ports(chosen.reserved), why), why

    def _why(self, row: Tunable) -> str:
        """What a setting that stays is to the demand."""
        remark = self._remark(row)
        if row.resource in self.limits:
            need, limit = self.limits[row.resource]
            return f"{limit.resource} of {limit.hop}: {_plain(row, need)} needed{remark}"
        host, ends = self.machine.host, _ends(self.path, self.demand)
        if row.setting == names.TCP_MEM and _known(host, row.value):
            size = _number(host, row.value) * _number(host, "page_bytes")
            return (
                f"{format_bytes(size)} of bytes that wait, {format_bytes(size / ends)} for each "
                f"of {ends:,.0f} socket ends; what waits depends on the answers"
            )
        if row.setting == names.NETDEV_BACKLOG:
            return f"{_number(host, 'packets_dropped'):,.0f} packets dropped since boot"
        if row.setting == names.TW_BUCKETS:
            return "past it a closed connection is forgotten at once; no request is lost"
        if row.setting == names.NR_OPEN:
            return f"the hard limit stays below it{remark}"
        if row.setting == names.SYN_BACKLOG and _number(host, "syncookies"):
            return "SYN cookies are on: past it a cookie answers"
        if row.setting == names.CONNTRACK_MAX:
            told = host.get("conntrack_tracks")
            return "nothing is tracked" if told is None or told.value is False else told.why
        return "nothing of this demand takes any of it"

    def _remark(self, row: Tunable) -> str:
        """How many workers fewer would do, were the setting higher; the plan has them instead."""
        if row.setting not in {names.NOFILE, names.SOMAXCONN}:
            return ""
        many = self.path.hop("workers").processes
        freed = self.machine.raised(frozenset({row.setting}) | self.raised)
        fewer, short = attempt(self.demand, freed, self.layout)
        few = fewer.hop("workers").processes
        if short is not None or few >= many:
            return ""
        remark = f" in each of {many} workers; were it higher, {few} would do"
        if row.setting == names.NOFILE and not self.machine.may_raise_nofile:
            remark += ", but it cannot be raised from here (tried in a child)"
        return remark


def _round_up(row: Tunable, need: float, now: Value, host: Host) -> tuple[float, str]:
    """A value of at least `need`, and how it was rounded, so that small changes move nothing."""
    if row.setting == names.CPU_MAX:
        return math.ceil(need * 10) / 10, "rounded up to a tenth"
    if row.setting == names.MEMORY_MAX:
        missing = need - _number(host, "memory_available")
        return math.ceil((now.number + missing) / MIB) * MIB, "rounded up to a MiB"
    power = 1 << (math.ceil(need) - 1).bit_length()
    if row.setting == names.NOFILE and need <= _number(host, "nr_open"):
        power = int(min(power, _number(host, "nr_open")))
    return min(power, names.HIGHEST_NR_OPEN), "rounded up to a power of two"


def _plain(row: Tunable, need: float) -> str:
    if row.setting == names.MEMORY_MAX:
        return format_bytes(need)
    return f"{need:.2f} cores" if row.setting == names.CPU_MAX else f"{need:,.0f}"


def _ends(path: Path, demand: Demand) -> float:
    """Socket ends of the whole path at the demand, its idle clients' included."""
    on_host = [hop for hop in path.hops if hop.program not in {"kernel", "service"}]
    found = [socket_ends(hop, path, demand) for hop in on_host]
    return sum(each.request * demand.in_flight + each.idle * demand.idle for each in found)


def _known(host: Host, setting: str) -> bool:
    found = host.get(setting)
    return found is not None and found.value is not None


def _number(of: Host | Hop, setting: str, otherwise: float = math.inf) -> float:
    """A number of the host or hop, `otherwise` where it was not read."""
    found = of.get(setting)
    return otherwise if found is None or found.value is None else found.number


def _with(host: Host, **values: float | str) -> Host:
    """The host with these values after the others, where `get` finds them first."""
    more = tuple(derived(setting, value, "as proposed") for setting, value in values.items())
    return msgspec.structs.replace(host, values=(*host.values, *more))
