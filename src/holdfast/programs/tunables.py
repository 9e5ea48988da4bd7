"""The settings of a machine that a demand may need more of: one row each. No I/O.

`resource` names the limit of the model that the setting makes; the reference page is these rows.
"""

from __future__ import annotations

import msgspec

from holdfast.model.tuning import Keeper

LOWEST_OUTGOING = 10_240
"""An outgoing port range is never widened below it: there, servers listen (8000, 8080)."""
HIGHEST_NR_OPEN = 2_147_483_584
"""The kernel's own ceiling of fs.nr_open (fs/file.c, sysctl_nr_open_max)."""

SOMAXCONN = "net.core.somaxconn"
SYN_BACKLOG = "net.ipv4.tcp_max_syn_backlog"
PORT_RANGE = "net.ipv4.ip_local_port_range"
RESERVED_PORTS = "net.ipv4.ip_local_reserved_ports"
CONNTRACK_MAX = "net.netfilter.nf_conntrack_max"
FILE_MAX = "fs.file-max"
NR_OPEN = "fs.nr_open"
NOFILE = "nofile"
PID_MAX = "kernel.pid_max"
THREADS_MAX = "kernel.threads-max"
MEMORY_MAX = "memory.max"
CPU_MAX = "cpu.max"
PIDS_MAX = "pids.max"
TCP_MEM = "net.ipv4.tcp_mem"
TW_BUCKETS = "net.ipv4.tcp_max_tw_buckets"
NETDEV_BACKLOG = "net.core.netdev_max_backlog"

_ROOT = "root: `holdfast tune --apply`"
_LOGIN = "root: `holdfast tune --apply`, then a new login; for a service `LimitNOFILE=` in its unit"


class Tunable(msgspec.Struct, frozen=True):
    """One setting: its keeper's name for it, the observed `value`, the `resource` that it limits.

    `resource` is empty where no limit of the model is made by it. `when` it is proposed, by which
    `formula`, on whose word (`source`), and `who` can change it.
    """

    setting: str
    keeper: Keeper
    value: str
    resource: str
    when: str
    formula: str
    source: str
    who: str = _ROOT


TUNABLES = (
    Tunable(
        SOMAXCONN,
        Keeper.SYSCTL,
        "somaxconn",
        "accept queue",
        "a burst does not fit the accept queues, however many workers there are",
        "burst on the fullest socket",
        "listen(2); kernel Documentation/admin-guide/sysctl/net.rst",
    ),
    Tunable(
        SYN_BACKLOG,
        Keeper.SYSCTL,
        "tcp_max_syn_backlog",
        "half-open queue",
        "SYN cookies are off, and a burst does not fit three quarters of it",
        "burst on the fullest socket / 0.75",
        "net/ipv4/tcp_input.c, tcp_conn_request",
    ),
    Tunable(
        PORT_RANGE,
        Keeper.SYSCTL,
        "port_low",
        "ports",
        "outgoing ports to a service with a told number of addresses are the wall",
        "units on the fullest address / 0.5, since connects are slow past half of the range",
        "ip-sysctl.rst; net/ipv4/inet_hashtables.c, __inet_hash_connect",
    ),
    Tunable(
        RESERVED_PORTS,
        Keeper.SYSCTL,
        "reserved_ports",
        "",
        "every wide enough range has a port in it that a program listens on",
        "what is reserved now, and exactly those ports",
        "ip-sysctl.rst, ip_local_reserved_ports",
    ),
    Tunable(
        CONNTRACK_MAX,
        Keeper.SYSCTL,
        "conntrack_max",
        "conntrack",
        "a rule makes the kernel track connections, and they are more",
        "entries now + one a connection",
        "nf_conntrack-sysctl.rst",
    ),
    Tunable(
        FILE_MAX,
        Keeper.SYSCTL,
        "file_max",
        "open files",
        "the open files of the whole host do not fit",
        "open now + each process's own + socket ends a request x N",
        "kernel Documentation/admin-guide/sysctl/fs.rst",
    ),
    Tunable(
        NR_OPEN,
        Keeper.SYSCTL,
        "nr_open",
        "",
        "`nofile` must be more, and cannot be while this is less",
        "as `nofile`",
        "kernel Documentation/admin-guide/sysctl/fs.rst; fs/file.c",
    ),
    Tunable(
        NOFILE,
        Keeper.LIMIT,
        "nofile_hard",
        "descriptors",
        "so many processes as the hard limit asks for do not fit in memory or pids",
        "descriptors of the fullest worker: a request's + idle clients + its own",
        "getrlimit(2), limits.conf(5), systemd.exec(5)",
        _LOGIN,
    ),
    Tunable(
        PID_MAX,
        Keeper.SYSCTL,
        "pid_max",
        "process numbers",
        "the planned processes do not fit beside what runs now",
        "threads now + planned + 8",
        "kernel Documentation/admin-guide/sysctl/kernel.rst",
    ),
    Tunable(
        THREADS_MAX,
        Keeper.SYSCTL,
        "threads_max",
        "threads",
        "the planned processes do not fit beside what runs now",
        "threads now + planned + 8",
        "kernel Documentation/admin-guide/sysctl/kernel.rst",
    ),
    Tunable(
        MEMORY_MAX,
        Keeper.CGROUP,
        "cgroup_memory_max",
        "memory",
        "the group leaves less than the plan takes, and the host has it",
        "limit now + what the plan takes - what is left",
        "kernel Documentation/admin-guide/cgroup-v2.rst; cgroup-v1/memory.rst",
        "who starts it: systemd `MemoryMax=`, Compose `mem_limit`, Kubernetes "
        "`resources.limits.memory`",
    ),
    Tunable(
        CPU_MAX,
        Keeper.CGROUP,
        "cpu_quota_cores",
        "processor",
        "the quota is less than the rate takes, and the host has it",
        "rate x processor seconds a request / 0.7",
        "kernel Documentation/admin-guide/cgroup-v2.rst; scheduler/sched-bwc.rst",
        "who starts it: systemd `CPUQuota=`, Compose `cpus`, Kubernetes `resources.limits.cpu`",
    ),
    Tunable(
        PIDS_MAX,
        Keeper.CGROUP,
        "pids_max",
        "processes",
        "the planned processes do not fit beside what is in the group now",
        "there now + planned + 8",
        "kernel Documentation/admin-guide/cgroup-v2.rst; cgroup-v1/pids.rst",
        "who starts it: systemd `TasksMax=`, Compose `pids_limit`, Kubernetes `podPidsLimit` of "
        "the kubelet",
    ),
    Tunable(
        TCP_MEM,
        Keeper.SYSCTL,
        "tcp_mem_pages",
        "",
        "never: it bounds bytes that wait in sockets, which depend on answers nobody described",
        "pages / socket ends is what each may have waiting",
        "ip-sysctl.rst, tcp_mem",
    ),
    Tunable(
        TW_BUCKETS,
        Keeper.SYSCTL,
        "tw_buckets",
        "",
        "never: past it the kernel forgets a closed connection at once, and no request is lost",
        "none",
        "ip-sysctl.rst, tcp_max_tw_buckets",
    ),
    Tunable(
        NETDEV_BACKLOG,
        Keeper.SYSCTL,
        "netdev_max_backlog",
        "",
        "never: only packets dropped under the load itself are a reason; `prove` counts them",
        "packets dropped since boot (/proc/net/softnet_stat)",
        "kernel Documentation/admin-guide/sysctl/net.rst",
    ),
)
BY_SETTING = {row.setting: row for row in TUNABLES}
