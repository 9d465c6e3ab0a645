#include "sim/shrink.h"

#include <algorithm>
#include <set>
#include <string>
#include <variant>

#include "control/base/text.h"
#include "control/base/time.h"

namespace minik::sim {

using control::MapEntry;
using control::Value;

namespace {

// Numbers that say how much there is, in scenarios and in Kubernetes' own kinds.
constexpr std::string_view kAmounts[] = {"count", "replicas", "completions", "parallelism", "backoffLimit"};
// Equal numbers from here on are taken for one number; smaller ones are equal by chance.
constexpr int64_t kLinkedFrom = 3;

using Step = std::variant<std::string, size_t>;
using Path = std::vector<Step>;

const Value& at(const Value& node, const Step& step) {
  if (const auto* name = std::get_if<std::string>(&step)) return node.get(*name);
  const size_t index = std::get<size_t>(step);
  return index < node.items().size() ? node.items()[index] : Value::absent();
}

const Value& find(const Value& root, const Path& path) {
  const Value* node = &root;
  for (const auto& step : path) node = &at(*node, step);
  return *node;
}

// The document with another value there; an absent one takes the entry or item away.
Value replaced(const Value& node, std::span<const Step> path, const Value& value) {
  if (path.empty()) return value;
  Value child = replaced(at(node, path.front()), path.subspan(1), value);
  if (const auto* name = std::get_if<std::string>(&path.front())) return node.with(*name, std::move(child));
  std::vector<Value> items(node.items().begin(), node.items().end());
  const size_t index = std::get<size_t>(path.front());
  if (child.is_absent()) {
    items.erase(items.begin() + static_cast<ptrdiff_t>(index));
  } else {
    items[index] = std::move(child);
  }
  return Value::array(std::move(items));
}

// Without the children [begin, end) of this list or mapping.
Value without_range(const Value& node, size_t begin, size_t end) {
  if (node.is_array()) {
    std::vector<Value> items;
    for (size_t i = 0; i < node.size(); ++i) {
      if (i < begin || i >= end) items.push_back(node.items()[i]);
    }
    return Value::array(std::move(items));
  }
  std::vector<MapEntry> entries;
  for (size_t i = 0; i < node.size(); ++i) {
    if (i < begin || i >= end) entries.push_back(node.entries()[i]);
  }
  return Value::map(std::move(entries));
}

Value with_number(const Value& node, int64_t from, int64_t to) {
  if (node.is_int() && node.as_int() == from) return to;
  if (node.is_array()) {
    std::vector<Value> items;
    for (const auto& item : node.items()) items.push_back(with_number(item, from, to));
    return Value::array(std::move(items));
  }
  if (!node.is_map()) return node;
  std::vector<MapEntry> entries;
  for (const auto& [key, value] : node.entries()) entries.push_back({key, with_number(value, from, to)});
  return Value::map(std::move(entries));
}

template <typename Visit>
void walk(const Value& node, Path& path, const Visit& visit) {
  visit(path, node);
  if (node.is_array()) {
    for (size_t i = 0; i < node.size(); ++i) {
      path.emplace_back(i);
      walk(node.items()[i], path, visit);
      path.pop_back();
    }
  }
  for (const auto& [key, value] : node.entries()) {
    path.emplace_back(std::string(key.text()));
    walk(value, path, visit);
    path.pop_back();
  }
}

class Shrinker {
 public:
  Shrinker(Value document, const ShrinkOptions& options) : document_(std::move(document)), options_(options) {}

  Value run() {
    for (bool smaller = true; smaller && !enough();) {
      const Value before = document_;
      leave_out({"spec", "timeline"});
      leave_out({"spec", "faults"});
      leave_out({"spec", "expect"});
      shrink_numbers();
      // Before fields are left out: a spread without its bounds is another one.
      fix_spreads();
      leave_out_below({"spec"});
      shorten_chance();
      smaller = !(document_ == before);
    }
    return document_;
  }

 private:
  bool enough() const { return options_.enough && options_.enough(); }

  // Without its duration a run gets the default, which may be longer; without its seed it is another run.
  bool says_how_to_run(const Value& candidate) const {
    return std::ranges::all_of(std::initializer_list<std::string_view>{"duration", "seed"}, [&](std::string_view name) {
      return candidate.get("spec").contains(name) == document_.get("spec").contains(name);
    });
  }

  std::optional<size_t> take_first(const std::vector<Value>& candidates) {
    if (candidates.empty() || enough()) return {};
    const auto found = options_.first_failing(candidates);
    if (!found) return {};
    document_ = candidates[*found];
    if (options_.on_smaller) options_.on_smaller(document_);
    return found;
  }

  // Halves, quarters … single children, the last first: what comes late is needed the least.
  void leave_out(const Path& path) {
    size_t chunk = std::max<size_t>(1, find(document_, path).size() / 2);
    while (true) {
      for (size_t end = find(document_, path).size(); end > 0;) {
        const Value node = find(document_, path);
        std::vector<Value> candidates;
        std::vector<size_t> begins;
        for (size_t e = end; e > 0;) {
          const size_t begin = e > chunk ? e - chunk : 0;
          Value candidate = replaced(document_, path, without_range(node, begin, e));
          if (says_how_to_run(candidate)) {
            candidates.push_back(std::move(candidate));
            begins.push_back(begin);
          }
          e = begin;
        }
        const auto found = take_first(candidates);
        if (!found) break;
        end = begins[*found];
      }
      if (chunk == 1 || enough()) return;
      chunk = std::max<size_t>(1, chunk / 2);
    }
  }

  void leave_out_below(const Path& path) {
    leave_out(path);
    // The children change while they are shrunk, their number does not.
    for (size_t i = 0; i < find(document_, path).size() && !enough(); ++i) {
      const Value node = find(document_, path);
      Path child = path;
      child.push_back(node.is_array() ? Step(i) : Step(std::string(node.entries()[i].key.text())));
      if (find(document_, child).size() > 0) leave_out_below(child);
    }
  }

  void shrink_numbers() {
    std::set<std::pair<int64_t, Path>, std::greater<>> amounts;
    Path path{"spec"};
    walk(document_.get("spec"), path, [&](const Path& p, const Value& value) {
      const auto* name = std::get_if<std::string>(&p.back());
      if (name && value.is_int() && value.as_int() > 1 && std::ranges::find(kAmounts, *name) != std::end(kAmounts)) {
        amounts.insert({value.as_int(), p});
      }
    });
    for (const auto& [amount, p] : amounts) {
      if (find(document_, p) == Value(amount)) shrink_number(p, amount);
    }
  }

  // The smallest that does it, by bisection: between the largest that does not and the smallest that does.
  void shrink_number(const Path& path, int64_t amount) {
    int64_t fails_not = 0;
    while (amount - fails_not > 1 && !enough()) {
      const int64_t middle = fails_not + (amount - fails_not) / 2;
      std::vector<Value> candidates;
      if (amount >= kLinkedFrom) {
        const Value linked = with_number(document_.get("spec"), amount, middle);
        candidates.push_back(document_.with("spec", linked));
      }
      candidates.push_back(replaced(document_, path, middle));
      if (take_first(candidates)) {
        amount = middle;
      } else {
        fails_not = middle;
      }
    }
  }

  void fix_spreads() {
    std::vector<Path> spreads;
    Path path{"spec"};
    walk(document_.get("spec"), path, [&](const Path& p, const Value& value) {
      if (value.is_map() && value.contains("min") && value.contains("max")) spreads.push_back(p);
    });
    for (const auto& p : spreads) {
      const Value spread = find(document_, p);
      if (spread.is_map()) {
        take_first({replaced(document_, p, spread.get("min")), replaced(document_, p, spread.get("max"))});
      }
    }
  }

  // spec.chance: outside of it delays are fixed and ties are not drawn (scenario.h).
  void shorten_chance() {
    const auto duration = parse_duration(document_.at({"spec", "duration"}).as_string("10m"));
    if (!duration) return;
    const Value chance = document_.at({"spec", "chance"});
    const auto time = [&](std::string_view name, Duration fallback) {
      return parse_duration(chance.get(name).as_string()).value_or(fallback);
    };
    Duration from = time("from", Duration{}), until = time("until", *duration);
    bisect_chance(from, until, until, Duration{}, [&](Duration middle) { return std::pair(from, middle); });
    bisect_chance(from, until, from, until, [&](Duration middle) { return std::pair(middle, until); });
  }

  // Moves one border of the window from `good`, where the scenario fails, towards `bad`, to the second.
  template <typename Window>
  void bisect_chance(Duration& from, Duration& until, Duration good, Duration bad, const Window& window) {
    const auto attempt = [&](Duration border) {
      const auto [begin, end] = window(border);
      const Value value = Value::map({{"from", format_duration(begin)}, {"until", format_duration(end)}});
      if (!take_first({document_.with_at({"spec", "chance"}, value)})) return false;
      from = begin;
      until = end;
      return true;
    };
    if (good == bad || attempt(bad)) return;
    while (std::max(good, bad) - std::min(good, bad) > seconds(1) && !enough()) {
      const Duration middle = seconds((good.seconds() + bad.seconds()) / 2);
      if (middle == good || middle == bad) return;
      (attempt(middle) ? good : bad) = middle;
    }
  }

  Value document_;
  const ShrinkOptions& options_;
};

}  // namespace

Value shrink(Value document, const ShrinkOptions& options) { return Shrinker(std::move(document), options).run(); }

}  // namespace minik::sim
