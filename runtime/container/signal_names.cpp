#include "runtime/container/signal_names.h"

#include <signal.h>

#include <utility>

#include "control/base/text.h"

namespace minik::runtime {

namespace {

constexpr std::pair<std::string_view, int> kNames[] = {
    {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"BUS", SIGBUS},   {"CHLD", SIGCHLD}, {"CLD", SIGCHLD},       {"CONT", SIGCONT},
    {"FPE", SIGFPE},   {"HUP", SIGHUP},   {"ILL", SIGILL},   {"INT", SIGINT},   {"IO", SIGIO},          {"IOT", SIGIOT},
    {"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"POLL", SIGPOLL}, {"PROF", SIGPROF}, {"PWR", SIGPWR},        {"QUIT", SIGQUIT},
    {"SEGV", SIGSEGV}, {"STOP", SIGSTOP}, {"SYS", SIGSYS},   {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT},  {"TRAP", SIGTRAP},
    {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU}, {"URG", SIGURG},   {"USR1", SIGUSR1},      {"USR2", SIGUSR2},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"WINCH", SIGWINCH}, {"VTALRM", SIGVTALRM}};

// The kernel counts from 32, but the C library keeps the first two for itself, and so does everybody who names signals.
constexpr int kRealTimeMin = 34, kRealTimeMax = 64;

}  // namespace

std::optional<int> parse_signal(std::string_view text) {
  const auto within = [](int64_t number, int64_t least, int64_t most) {
    return number >= least && number <= most ? std::optional(static_cast<int>(number)) : std::nullopt;
  };
  if (const auto number = parse_int64(text)) return within(*number, 1, kRealTimeMax);
  const std::string lower = to_lower(text);
  std::string_view name = lower;
  if (name.starts_with("sig")) name.remove_prefix(3);
  for (const auto& [known, number] : kNames) {
    if (name == to_lower(known)) return number;
  }
  if (name == "rtmin") return kRealTimeMin;
  if (name == "rtmax") return kRealTimeMax;
  const bool up = name.starts_with("rtmin+");
  if (!up && !name.starts_with("rtmax-")) return std::nullopt;
  const auto offset = parse_uint64(name.substr(6));
  if (!offset || *offset > kRealTimeMax) return std::nullopt;
  const auto distance = static_cast<int64_t>(*offset);
  return within(up ? kRealTimeMin + distance : kRealTimeMax - distance, kRealTimeMin, kRealTimeMax);
}

}  // namespace minik::runtime
