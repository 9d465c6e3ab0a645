#!/usr/bin/env python3
"""The rules of the house that can be executed. Each says what to use instead, and who is excepted and why.

  style_test.py TREE [library.a ...]

The sources are searched with comments and texts taken out; the libraries are those of control/, whose
undefined symbols must not reach for the machine even through a header that no rule names.
"""
import pathlib
import re
import subprocess
import sys

SOURCES = ("control", "runtime", "sim", "minik", "bench", "tests")


class Rule:
    def __init__(self, name, pattern, instead, folders=SOURCES, files=(".h", ".cpp"), allowed=None):
        self.name, self.pattern, self.instead = name, re.compile(pattern), instead
        self.folders, self.files, self.allowed = folders, files, allowed or {}


DECIDES = ("control", "sim")  # code that must do the same in both worlds
RULES = [
    Rule("clocks", r"(system|steady|high_resolution)_clock|clock_gettime|gettimeofday|\b(std::|::)time\(",
         "Executor::now() or a time handed in", DECIDES),
    Rule("entropy", r"random_device|getrandom|getentropy|/dev/u?random|RAND_bytes|\b(std::)?s?rand\(|"
                    r"std::(mt19937|uniform_|normal_|shuffle\b)",
         "a minik::Rng handed in", DECIDES),
    Rule("threads", r"std::(jthread|thread|mutex|shared_mutex|condition_variable|async|promise|atomic<)|"
                    r"pthread_|thread_local",
         "Executor::post, and work on a WorkerPool", DECIDES,
         allowed={"control/store/sqlite_log.cpp": "the home of the log's writer thread",
                  "sim/power_loss_disk.h": "the log's writer thread uses the disk in the store's own tests",
                  "control/schema/kind_registry.h": "read by the threads that decode and encode",
                  "control/base/check.cpp": "the context of a failed CHECK belongs to its thread"}),
    Rule("sockets", r"#include <(sys/socket|netinet/|arpa/|netdb|sys/un|poll|sys/epoll)",
         "minik/net or runtime/network", DECIDES,
         allowed={"control/schema/names.cpp": "inet_pton reads the text of an address",
                  "control/api/address_warnings.cpp": "inet_pton and inet_ntop read and print addresses",
                  "control/cel/network_functions.cpp": "inet_pton and inet_ntop read and print addresses"}),
    Rule("files", r"#include <(fstream|filesystem|fcntl\.h|unistd\.h|sys/stat\.h)|\bfopen\(",
         "a port (Log, ContainerRuntime)", DECIDES,
         allowed={"control/store/sqlite_log.cpp": "the disk under the store"}),
    Rule("order", r"std::unordered_(map|set|multi)|boost/unordered",
         "std::map, a sorted vector or ObjectTable: hash order differs from machine to machine", DECIDES,
         allowed={"control/object/object_table.cpp": "hands objects out in order of their names",
                  "control/client/event_recorder.cpp": "looked up, and thinned by a rule that no order changes",
                  "control/scheduler/queue.cpp": "looked up and counted"}),
    Rule("dangling", r"for \([^;]*[^:]: [^;()]*\([^;]*\)->\w+\) ",
         "a named pointer: a range-for keeps what it is given alive, and not what that was taken from"),
    Rule("two worlds", r"is_simulat(ed|ion)", "a port whose two sides differ"),
    Rule("heavy headers", r"#include [<\"](boost/(asio|beast|json)|openssl/|yaml-cpp/|sqlite3|httplib|"
                          r"ldns/|archive|CLI/|spdlog/|re2/)",
         "a .cpp adapter behind a plain header", ("control", "runtime", "sim", "minik"), (".h",),
         allowed={"minik/net/beast_parser.h": "shared by the two adapters to Boost.Beast alone",
                  "sim/power_loss_disk.h": "it is an adapter to SQLite's own table of functions"}),
    Rule("CLI11", r"#include [<\"]CLI/", "minik/cli/command_line.h: the headers are dear to compile",
         allowed={"minik/cli/command_line.cpp": "it is the adapter"}),
    Rule("leftovers", r"\b(TODO|FIXME|XXX|HACK)\b|^\s*#if 0\b",
         "finish it, refuse clearly, or write an issue"),
    Rule("volatile output", r"std::c(out|err)\b|\bprintf\(", "control/base/log.h",
         ("control", "sim", "runtime")),
]

# Which folders a folder may include from: the arrows of ARCHITECTURE.md.
ARROWS = {
    "control": ("control",),
    "runtime": ("runtime", "control/base", "control/object", "control/kubelet/container_runtime.h"),
    "sim": ("sim", "control"),
    "minik": ("minik", "control", "runtime", "sim"),
}

LINES_MAX = 600
LONG_FILES = {}  # path: why it is one idea

# What a control library must leave undefined to nobody: calls that reach the machine.
MACHINE = re.compile(
    r"^(clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|getrandom|getentropy|rand|random|"
    r"pthread_create|socket|connect|bind|listen|accept4?|fork|vfork|execv\w*|open|open64|openat|fopen|"
    r"std::thread::_M_start_thread.*|std::random_device.*|std::chrono::_V2::\w+_clock::now\(\))$")
MEMBERS = {"sqlite_log.cpp.o": "the disk under the store, with its writer thread"}


def code_of(text):
    """The text with comments and, but for includes, string contents taken out; lines stay lines."""
    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", "", token)
        return '""' + "\n" * token.count("\n")
    tokens = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    kept = []
    for line in re.sub(r"^(\s*#include )\"([^\"\n]*)\"", r"\1<\2>", text, flags=re.M).split("\n"):
        kept.append(line)
    return re.sub(tokens, blank, "\n".join(kept), flags=re.S)


def check_sources(tree):
    for folder in SOURCES:
        for path in sorted((tree / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp"):
                continue
            name = path.relative_to(tree).as_posix()
            text = path.read_text(encoding="utf-8")
            lines = text.count("\n")
            if lines > LINES_MAX and name not in LONG_FILES:
                yield f"{name}: {lines} lines; split it, {LINES_MAX} is the most"
            # Leftovers hide in comments, everything else is looked for in code alone.
            code = code_of(text)
            for rule in RULES:
                if folder not in rule.folders or path.suffix not in rule.files or name in rule.allowed:
                    continue
                searched = text if rule.name == "leftovers" else code
                for number, line in enumerate(searched.split("\n"), 1):
                    found = rule.pattern.search(line)
                    if found:
                        yield f"{name}:{number}: {rule.name}: {found.group(0)!r}; use {rule.instead}"
            if folder in ARROWS:
                for number, line in enumerate(code.split("\n"), 1):
                    include = re.match(r"\s*#include <((?:control|runtime|sim|minik)/[^>]*)>", line)
                    if include and not include.group(1).startswith(ARROWS[folder]):
                        yield f"{name}:{number}: {folder} must not include {include.group(1)}"


def check_exceptions(tree):
    """An exception that nobody needs any more goes."""
    for rule in RULES:
        for name in rule.allowed:
            path = tree / name
            if not path.exists() or not rule.pattern.search(code_of(path.read_text(encoding="utf-8"))):
                yield f"{name} is excepted from {rule.name!r} without need"


# What scenarios may name; the node agents' metrics are not counted in the simulator.
COUNTED_IN = ("control/api", "control/client", "control/controllers", "control/scheduler")
COUNTS = re.compile(r'(?:counter|gauge|histogram)\(\s*"(\w+)"|"([a-z]+_\w+_(?:total|seconds|changes|syncs))"')


def check_metric_families(tree):
    """sim/scenario/metric_families.cpp lists the metrics that the sources count, each and no other."""
    counted = set()
    for folder in COUNTED_IN:
        for path in sorted((tree / folder).rglob("*.cpp")):
            counted |= {a or b for a, b in COUNTS.findall(path.read_text(encoding="utf-8"))}
    listing = "sim/scenario/metric_families.cpp"
    listed = set(re.findall(r'^    \{"(\w+)",', (tree / listing).read_text(encoding="utf-8"), re.M))
    for name in sorted(counted - listed):
        yield f"{listing} lacks {name} with its labels"
    for name in sorted(listed - counted):
        yield f"{listing} has {name}, which nothing counts"


def check_symbols(libraries):
    for library in libraries:
        listed = subprocess.run(["nm", "-u", "-C", library], check=True, capture_output=True, text=True)
        member = ""
        for line in listed.stdout.split("\n"):
            if line.endswith(".o:"):
                member = line[:-1]
            symbol = line.strip().removeprefix("U ").split("@")[0]
            if member not in MEMBERS and MACHINE.match(symbol):
                yield f"{pathlib.Path(library).name}({member}) calls {symbol}"


def main(tree, libraries):
    tree = pathlib.Path(tree)
    complaints = [*check_sources(tree), *check_exceptions(tree), *check_metric_families(tree), *check_symbols(libraries)]
    print("\n".join(complaints) or f"{len(RULES)} rules hold, {len(libraries)} libraries are pure")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
