#include "sim/trace_diff.h"

#include "control/base/text.h"
#include "control/object/diff.h"
#include "control/object/json.h"

namespace minik::sim {

using control::Value;

namespace {

constexpr size_t kShownMax = 400;

std::string cut(const std::string& line) {
  if (line.size() <= kShownMax) return line;
  return cat(std::string_view(line).substr(0, kShownMax), "… (", line.size(), " bytes)");
}

// What is written after this line, or absent.
Value version_after(TraceState& state, const std::optional<std::string>& line, TracedKey& key) {
  if (!line) return {};
  const auto entry = read_trace_entry(*line);
  if (!entry || !state.apply(*entry).ok()) return {};
  key = {entry->resource, entry->key};
  return state.find(key);
}

// Behind the moment: `"action":…`.
std::string_view without_moment(std::string_view line) {
  constexpr std::string_view kAt = R"({"at":")";
  const size_t end = line.starts_with(kAt) ? line.find('"', kAt.size()) : std::string_view::npos;
  return end == std::string_view::npos ? line : line.substr(std::min(line.size(), end + 2));
}

}  // namespace

bool is_deed(std::string_view line) {
  const auto what = without_moment(line);
  return what.starts_with(R"("action":)") || what.starts_with(R"("finding":)");
}

bool TraceComparison::same(const std::optional<std::string>& first, const std::optional<std::string>& second) const {
  if (compared_ == Compared::kLines || !first || !second) return first == second;
  return without_moment(*first) == without_moment(*second);
}

bool TraceComparison::add(const std::optional<std::string>& first, const std::optional<std::string>& second) {
  if (divergence_) return false;
  if (same(first, second)) {
    if (!first) return true;
    ++lines_;
    if (const auto entry = read_trace_entry(*first)) (void)state_.apply(*entry);
    before_.push_back(*first);
    if (before_.size() > context_) before_.pop_front();
    return true;
  }
  TraceDivergence divergence;
  divergence.line = lines_ + 1;
  divergence.before.assign(before_.begin(), before_.end());
  divergence.first = first;
  divergence.second = second;
  TraceState other = state_;
  TracedKey first_key, second_key;
  const Value first_version = version_after(state_, first, first_key);
  const Value second_version = version_after(other, second, second_key);
  if (first_key == second_key && first_version.is_map() && second_version.is_map()) {
    divergence.changes = control::make_json_patch(first_version, second_version);
  }
  divergence_ = std::move(divergence);
  return false;
}

std::optional<TraceDivergence> first_divergence(const LineSource& first, const LineSource& second, size_t context, Compared compared) {
  TraceComparison comparison(context, compared);
  for (;;) {
    const auto a = first();
    const auto b = second();
    if (!comparison.add(a, b)) return comparison.divergence();
    if (!a) return {};
  }
}

std::string describe_changes(const Value& patch) {
  std::string text;
  for (const auto& operation : patch.items()) {
    const bool removed = operation.get("op").as_string() == "remove";
    text += cat("    ", operation.get("path").as_string(), removed ? " is not there" : ": ",
                removed ? "" : cut(control::to_json(operation.get("value"))), "\n");
  }
  return text;
}

std::string describe(const TraceDivergence& divergence, Compared compared) {
  std::string text = compared == Compared::kLines ? cat("the traces part at line ", divergence.line, "\n") : "the runs part here\n";
  for (const auto& line : divergence.before) text += cat("  both    ", cut(line), "\n");
  text += cat("  first   ", divergence.first ? cut(*divergence.first) : "(has ended)", "\n");
  text += cat("  second  ", divergence.second ? cut(*divergence.second) : "(has ended)", "\n");
  if (!divergence.changes.empty()) text += cat("  in the second\n", describe_changes(divergence.changes));
  return text;
}

Value as_document(const TraceDivergence& divergence) {
  const auto line = [](const std::optional<std::string>& text) { return text ? Value(*text) : Value(nullptr); };
  return Value::map({{"line", static_cast<int64_t>(divergence.line)},
                     {"before", Value::array({divergence.before.begin(), divergence.before.end()})},
                     {"first", line(divergence.first)},
                     {"second", line(divergence.second)},
                     {"changes", divergence.changes}});
}

}  // namespace minik::sim
