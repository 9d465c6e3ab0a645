#include "sim/predicate.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

// Rules of strangers have tighter bounds; here the author of the file waits himself, and `objects` may be
// a million pods.
constexpr uint64_t kExpressionCostMax = 1'000'000'000;

// An expression that fails, as one that reads a field before there is one, does not hold.
bool holds_expression(const control::cel::Program& expression, control::cel::Datum variable, std::string& detail) {
  control::cel::Budget budget{.limit = kExpressionCostMax};
  const auto result = expression.evaluate({{std::move(variable)}}, budget);
  if (!result) detail = result.error().message;
  if (result && result->kind() != control::cel::Kind::kBool) detail = "the expression gives neither true nor false; compare its value, as with == 3";
  return result && result->is_true();
}

std::string one_line(const Value& value) {
  constexpr size_t kShownBytesMax = 200;
  std::string text = value.has_value() ? control::to_json(value) : "absent";
  if (text.size() > kShownBytesMax) text = cat(text.substr(0, kShownBytesMax), "…");
  return text;
}

// The first field that is not as it must be: "status.readyReplicas is 3 and not 4".
std::string difference(const Value& whole, const Value& part, const std::string& path) {
  if (part.is_map() && whole.is_map()) {
    for (const auto& [key, wanted] : part.entries()) {
      if (contains_part(whole[key], wanted)) continue;
      return difference(whole[key], wanted, path.empty() ? std::string(key.text()) : cat(path, ".", key.text()));
    }
  }
  if (part.is_array() && whole.is_array()) {
    for (const auto& wanted : part.items()) {
      const bool found = std::ranges::any_of(whole.items(), [&](const Value& item) { return contains_part(item, wanted); });
      if (!found) return cat("no item of ", path, " has ", one_line(wanted), ": it is ", one_line(whole));
    }
    return cat(path, " has ", whole.size(), " items and not ", part.size());
  }
  return cat(path.empty() ? "it" : path, " is ", one_line(whole), " and not ", one_line(part));
}

Judgement judge_object(const Predicate& p, const control::Store& store) {
  const Value& object = store.find(p.object->id, p.object->namespace_, p.object->name);
  std::string failure;
  const bool holds = p.expression ? holds_expression(*p.expression, control::cel::Datum::document(object), failure)
                                  : contains_part(object, p.matches);
  if (holds) return {true, {}};
  if (!object.has_value()) return {false, "it does not exist"};
  if (!p.expression) return {false, cat(kDiffers, difference(object, p.matches, ""))};
  return {false, cat(failure, failure.empty() ? "" : "; ", "its status is ", control::to_json(object[keys::kStatus]))};
}

Judgement judge_selection(const Predicate& p, const control::Store& store) {
  int64_t count = 0;
  std::vector<control::cel::Datum> selected;
  store.for_each(p.selection->kind, [&](const Value& object) {
    if (!p.selection->selects(object)) return;
    ++count;
    if (p.expression) selected.push_back(control::cel::Datum::document(object));
  });
  if (!p.expression) return {p.bounds.hold(count), cat("the count is ", count)};
  std::string failure;
  const bool holds = holds_expression(*p.expression, control::cel::Datum::list(std::move(selected)), failure);
  return {holds, cat("it is false for the ", count, " objects", failure.empty() ? "" : ": ", failure)};
}

// Whole thousandths of a sample's value; seconds have up to nine digits behind the point.
int64_t thousandths(std::string_view value) {
  const size_t point = value.find('.');
  const auto whole = parse_int64(value.substr(0, point)).value_or(0);
  std::string fraction(point == std::string_view::npos ? "" : value.substr(point + 1, 3));
  fraction.resize(3, '0');
  return whole * 1000 + parse_int64(fraction).value_or(0);
}

}  // namespace

std::optional<int64_t> sum_of_samples(std::string_view page, const MetricSelection& selection) {
  // Of a histogram its number of observations.
  const std::string count = selection.name + "_count";
  std::optional<int64_t> sum;
  bool seconds = false;
  while (!page.empty()) {
    const std::string_view line = page.substr(0, page.find('\n'));
    page.remove_prefix(std::min(page.size(), line.size() + 1));
    const size_t end_of_name = line.find_first_of("{ ");
    if (end_of_name == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, end_of_name);
    if (name != selection.name && name != count) continue;
    const size_t space = line.rfind(' ');
    const std::string_view labels = line.substr(end_of_name, space - end_of_name);
    const bool selected = std::ranges::all_of(selection.labels, [&](const auto& label) {
      const std::string text = cat(label.first, "=\"", label.second, "\"");
      const size_t at = labels.find(text);
      return at != std::string_view::npos && at > 0 && (labels[at - 1] == '{' || labels[at - 1] == ',');
    });
    seconds |= name == selection.name && (name.ends_with("_seconds") || name.ends_with("_seconds_total"));
    sum = sum.value_or(0) + (selected ? thousandths(line.substr(space + 1)) : 0);
  }
  if (!sum || seconds) return sum;
  return *sum / 1000;
}

Judgement judge(const Predicate& predicate, const control::Store& store, MetricRegistry& metrics) {
  if (predicate.object) return judge_object(predicate, store);
  if (predicate.selection) return judge_selection(predicate, store);
  const auto value = sum_of_samples(metrics.text(), *predicate.metric);
  return {predicate.bounds.hold(value.value_or(0)),
          value ? cat("it is ", *value) : cat("nothing is counted under ", predicate.metric->name)};
}

bool contains_part(const Value& whole, const Value& part) {
  if (part.is_map()) {
    return std::ranges::all_of(part.entries(), [&](const control::MapEntry& e) { return contains_part(whole[e.key], e.value); });
  }
  if (part.is_array()) {
    if (whole.size() < part.size()) return false;
    for (size_t i = 0; i < part.size(); ++i) {
      // Items that are objects may stand anywhere: conditions have no order that counts.
      const bool found = std::ranges::any_of(whole.items(), [&](const Value& w) { return contains_part(w, part.items()[i]); });
      if (!found) return false;
    }
    return true;
  }
  return whole == part;
}

}  // namespace minik::sim
