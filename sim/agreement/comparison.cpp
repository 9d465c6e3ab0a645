#include "sim/agreement/comparison.h"

#include <algorithm>
#include <set>

#include "control/base/text.h"

namespace minik::sim {

namespace {

using Members = std::vector<StateHistory>;
using Sequence = std::vector<std::string>;

Sequence values_at(const StateHistory& member, const std::string& path) {
  Sequence values;
  if (const auto found = member.paths.find(path); found != member.paths.end()) {
    for (const auto& change : found->second) values.push_back(change.value);
  }
  return values;
}

std::string text_of(const std::vector<Sequence>& sequences) {
  if (sequences.empty()) return "nothing";
  std::map<std::string, size_t> times;
  for (const auto& sequence : sequences) ++times[sequence.empty() ? "nothing" : join(sequence, " -> ")];
  std::vector<std::string> parts;
  for (const auto& [text, count] : times) parts.push_back(count == 1 ? text : cat(count, " x ", text));
  return join(parts, " | ");
}

bool begins_alike(const Sequence& a, const Sequence& b) {
  return std::equal(a.begin(), a.begin() + static_cast<ptrdiff_t>(std::min(a.size(), b.size())), b.begin());
}

// How one side's sequences may differ from the other's.
enum class Allowed : uint8_t {
  kNothing,
  kBeginning,  // one goes on where the other ends, or has not begun
  kBegun,      // the same, but both have begun
};

// Whether each sequence of one side has a partner on the other.
bool agree(std::vector<Sequence> a, std::vector<Sequence> b, Allowed allowed) {
  if (a.size() != b.size()) return false;
  std::ranges::sort(a);
  std::ranges::sort(b);
  if (a == b) return true;
  if (allowed == Allowed::kNothing) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (allowed == Allowed::kBegun && a[i].empty() != b[i].empty()) return false;
    if (!begins_alike(a[i], b[i])) return false;
  }
  return true;
}

// A change by what it is: the n-th value of a path.
struct Step {
  std::string path;
  size_t number;
  auto operator<=>(const Step&) const = default;
};

// The steps of the paths whose order tells a story: phases, conditions, what containers do.
std::map<Step, size_t> story(const StateHistory& member) {
  std::map<Step, size_t> steps;
  for (const auto& [path, changes] : member.paths) {
    const bool is_told = path == "exists" || path.ends_with(".phase") || path.ends_with("].status") || path.ends_with(".reason") ||
                         path.ends_with(".ready") || path.ends_with("restartCount");
    if (!is_told) continue;
    for (size_t i = 0; i < changes.size(); ++i) steps[{path, i}] = changes[i].state;
  }
  return steps;
}

// Pairs of steps that some member has in this order, and none in the other.
std::set<std::pair<Step, Step>> orders(const Members& members) {
  std::set<std::pair<Step, Step>> before, after;
  for (const auto& member : members) {
    const auto steps = story(member);
    for (const auto& [a, at_a] : steps) {
      for (const auto& [b, at_b] : steps) {
        if (at_a < at_b) {
          before.insert({a, b});
          after.insert({b, a});
        }
      }
    }
  }
  std::erase_if(before, [&](const auto& pair) { return after.contains(pair); });
  return before;
}

std::string text_of(const Step& step, const Members& members) {
  for (const auto& member : members) {
    const auto values = values_at(member, step.path);
    if (step.number < values.size()) return cat(step.path, " = ", values[step.number]);
  }
  return step.path;
}

void compare_order(const std::string& object, const Members& real, const Members& simulated, std::vector<Disagreement>& into) {
  const auto in_reality = orders(real);
  const auto in_simulation = orders(simulated);
  for (const auto& [a, b] : in_reality) {
    if (!in_simulation.contains({b, a})) continue;
    const std::string first = text_of(a, real), second = text_of(b, real);
    into.push_back({object, cat("order of ", a.path, " and ", b.path), cat(first, ", then ", second), cat(second, ", then ", first)});
  }
}

size_t count_of(const Members& members, std::set<std::string> StateHistory::* containers, const std::string& name) {
  return static_cast<size_t>(std::ranges::count_if(members, [&](const StateHistory& one) { return (one.*containers).contains(name); }));
}

// Whether as many ended in the other world as were restarted in this one: those may be about to be.
bool may_restart_too(const Members& here, const Members& there) {
  return std::ranges::all_of(here, [&](const StateHistory& member) {
    return std::ranges::all_of(member.restarted, [&](const std::string& name) {
      return count_of(here, &StateHistory::restarted, name) <= count_of(there, &StateHistory::ended, name);
    });
  });
}

void compare_members(const std::string& object, const Members& real, const Members& simulated, std::vector<Disagreement>& into) {
  if (real.size() != simulated.size()) {
    into.push_back({object, "number of objects", cat(real.size()), cat(simulated.size())});
    return;
  }
  std::set<std::string> paths;
  size_t worlds_with_restarts = 0;
  for (const auto* members : {&real, &simulated}) {
    worlds_with_restarts += std::ranges::any_of(*members, [](const StateHistory& one) { return !one.restarted.empty(); });
    for (const auto& member : *members) {
      for (const auto& [path, changes] : member.paths) paths.insert(path);
    }
  }
  const bool same_pace = worlds_with_restarts == 0 || !may_restart_too(real, simulated) || !may_restart_too(simulated, real);
  for (const auto& path : paths) {
    std::vector<Sequence> a, b;
    for (const auto& member : real) a.push_back(values_at(member, path));
    for (const auto& member : simulated) b.push_back(values_at(member, path));
    // What a container left at its last end is there from its first restart on.
    const bool has_begun = worlds_with_restarts == 2 && path.find(".lastState.") != std::string::npos;
    const Allowed allowed = same_pace ? Allowed::kNothing : has_begun ? Allowed::kBegun : Allowed::kBeginning;
    if (!agree(a, b, allowed)) into.push_back({object, path, text_of(a), text_of(b)});
  }
  if (worlds_with_restarts == 0) compare_order(object, real, simulated, into);
}

}  // namespace

std::vector<Disagreement> disagreements(const WorldHistory& real, const WorldHistory& simulated) {
  std::vector<Disagreement> result;
  for (const auto& [object, members] : real) {
    const auto found = simulated.find(object);
    if (found == simulated.end()) {
      result.push_back({object, "exists", "true", "never"});
    } else {
      compare_members(object, members, found->second, result);
    }
  }
  for (const auto& [object, members] : simulated) {
    if (!real.contains(object)) result.push_back({object, "exists", "never", "true"});
  }
  return result;
}

}  // namespace minik::sim
