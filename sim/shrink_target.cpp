#include "sim/shrink_target.h"

#include <algorithm>

#include "control/base/text.h"
#include "sim/predicate.h"

namespace minik::sim {

using control::Value;

namespace {

// What people do to a cluster; everything else in a timeline is done to it.
constexpr std::string_view kChanges[] = {"apply",    "delete",     "patch",     "scale",  "setImage", "setLoad",
                                         "uncordon", "startNodes", "healNodes", "cordon", "drain",    "upgradePool"};

bool is_change(const Value& entry) {
  return std::ranges::any_of(entry.entries(), [](const control::MapEntry& e) {
    return std::ranges::find(kChanges, e.key.text()) != std::end(kChanges);
  });
}

Value without_numbers(const Value& value) {
  if (value.is_int()) return Value(0);
  if (value.is_array()) {
    std::vector<Value> items;
    for (const auto& item : value.items()) items.push_back(without_numbers(item));
    return Value::array(std::move(items));
  }
  if (!value.is_map()) return value;
  std::vector<control::MapEntry> entries;
  for (const auto& [key, item] : value.entries()) entries.push_back({key, without_numbers(item)});
  return Value::map(std::move(entries));
}

Value expectation_called(const Value& document, std::string_view name) {
  for (const auto& one : document.at({"spec", "expect"}).items()) {
    if (one.get("name").as_string() == name) return one;
  }
  return {};
}

}  // namespace

bool expects_alike(const Value& document, const Value& other, std::string_view name) {
  return without_numbers(expectation_called(document, name)) == without_numbers(expectation_called(other, name));
}

Value with_named_expectations(const Value& document, const Scenario& scenario) {
  const Value& list = document.at({"spec", "expect"});
  if (list.size() != scenario.expectations.size()) return document;
  std::vector<Value> named;
  for (size_t i = 0; i < list.size(); ++i) {
    const Value& expectation = list.items()[i];
    const bool has_name = !expectation.get("name").string().empty();
    named.push_back(has_name ? expectation : expectation.with("name", scenario.expectations[i].text()));
  }
  return document.with_at({"spec", "expect"}, Value::array(std::move(named)));
}

std::optional<Value> twin_of(const Value& document, Twin twin) {
  const Value& timeline = document.at({"spec", "timeline"});
  Value other = document;
  if (twin == Twin::kWithoutFaults) {
    std::vector<Value> kept;
    std::ranges::copy_if(timeline.items(), std::back_inserter(kept), is_change);
    if (timeline.is_array()) other = other.with_at({"spec", "timeline"}, Value::array(std::move(kept)));
    other = other.with_at({"spec", "faults"}, Value());
  } else if (twin == Twin::kFirstEntryOnly) {
    // Workloads are what a timeline begins with.
    const size_t kept = document.at({"spec", "workloads"}).empty() ? 1 : 0;
    if (timeline.size() <= kept) return {};
    other = other.with_at({"spec", "timeline"}, kept == 0 ? Value() : Value::array({timeline.items()[0]}));
  }
  if (other == document) return {};
  return other;
}

std::string shape_of(const Finding& finding) {
  std::string shape = cat(finding.what, ": ");
  bool in_number = false;
  const std::string_view detail = finding.detail;
  const size_t end = detail.starts_with(kDiffers) ? kDiffers.size() : detail.find('{');
  for (const char c : detail.substr(0, end)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) shape += c;
    if (digit && !in_number) shape += '#';
    in_number = digit;
  }
  return shape;
}

}  // namespace minik::sim
