#include "control/cel/evaluator.h"

#include <algorithm>
#include <array>

#include "control/base/text.h"
#include "control/cel/authorizer.h"
#include "control/cel/costs.h"
#include "control/cel/overloads.h"

namespace minik::control::cel {

namespace {

// cel-go's numbers, as those of costs.h: a turn of a macro that leaves the result as it is, and the end of its fold,
// which reads the result once more.
constexpr uint64_t kSkipCost = 1, kResultCost = 1;

constexpr size_t kArgumentsMax = 4;

Datum no_such_overload() {
  return Datum::error("no such overload");
}

class Evaluator {
 public:
  Evaluator(const Tree& tree, std::span<const Datum> bindings, Budget& budget)
      : tree_(tree), slots_(bindings.begin(), bindings.end()), budget_(budget) {}

  Datum visit(NodeId id) {
    const Node& node = tree_[id];
    switch (node.kind) {
      case NodeKind::kConstant:
        return node.constant;
      case NodeKind::kIdentifier:
        return charge(kNameCost) ? slots_[node.slot] : exhausted();
      case NodeKind::kSelect:
        return select(node);
      case NodeKind::kHas:
        return has(node);
      case NodeKind::kCall:
        return call(node);
      case NodeKind::kAnd:
        return chain(node, false);
      case NodeKind::kOr:
        return chain(node, true);
      case NodeKind::kConditional: {
        const Datum condition = visit(node.children[0]);
        if (condition.is_error()) return condition;
        if (condition.kind() != Kind::kBool) return no_such_overload();
        return visit(node.children[condition.is_true() ? 1 : 2]);
      }
      case NodeKind::kList:
        return list(node);
      case NodeKind::kMap:
        return map(node);
      case NodeKind::kObject:
        return object(node);
      case NodeKind::kMacro:
        return macro(node);
    }
    return {};
  }

 private:
  bool charge(uint64_t cost) {
    if (cost > budget_.limit - std::min(budget_.spent, budget_.limit)) {
      exhausted_ = true;
      budget_.spent = budget_.limit;
      return false;
    }
    budget_.spent += cost;
    return true;
  }
  static Datum exhausted() {
    return Datum::error("operation cancelled: actual cost limit exceeded");
  }

  // Looks a field up in a map or through an optional. Nothing: not there.
  std::optional<Datum> field(const Datum& target, const Node& node) {
    if (target.kind() == Kind::kOptional) {
      if (!target.has_value()) return std::nullopt;
      return field(target.optional_value(), node);
    }
    if (target.kind() != Kind::kMap && target.kind() != Kind::kObject) return no_such_overload();
    return target.find(Datum::text(node.name));
  }

  Datum select(const Node& node) {
    const Datum target = visit(node.children[0]);
    if (target.is_error()) return target;
    if (!charge(kNameCost)) return exhausted();
    if (target.kind() == Kind::kAuthorizer && node.name == "requestResource") return request_resource(target);
    auto found = field(target, node);
    if (found && found->is_error()) return std::move(*found);
    if (node.optional || target.kind() == Kind::kOptional) {
      return found ? Datum::optional(std::move(*found)) : Datum::none();
    }
    if (!found) return Datum::error(cat("no such key: ", node.name));
    return declared(std::move(*found), node.type);
  }

  // What a schema declares as a timestamp, duration or bytes is text in the document.
  static Datum declared(Datum value, const Type& type) {
    if (value.kind() != Kind::kString) return value;
    std::string_view function;
    if (type.kind() == Kind::kTimestamp) function = "timestamp";
    if (type.kind() == Kind::kDuration) function = "duration";
    if (type.kind() == Kind::kBytes) {
      const auto bytes = from_base64(value.as_text());
      return bytes ? Datum::bytes(*bytes) : Datum::error("invalid base64 in a field of bytes");
    }
    if (function.empty()) return value;
    return find_overloads(function, false)[0].function({{&value, 1}});
  }

  Datum has(const Node& node) {
    // Kubernetes charges for the way there alone.
    const Datum target = visit(node.children[0]);
    if (target.is_error()) return target;
    const auto found = field(target, node);
    if (found && found->is_error()) return *found;
    return Datum::boolean(found.has_value());
  }

  Datum call(const Node& node) {
    std::array<Datum, kArgumentsMax> values;
    const size_t count = node.children.size();
    for (size_t i = 0; i < count; ++i) {
      values[i] = visit(node.children[i]);
      if (values[i].is_error()) return values[i];
    }
    const std::span<const Datum> arguments(values.data(), count);
    for (const Overload* overload : node.overloads) {
      if (!overload->agrees(arguments)) continue;
      if (!charge(cost_of(*overload, arguments))) return exhausted();
      Datum result = overload->function({arguments, node.regex.get()});
      if (!charge(cost_of_result(*overload, result))) return exhausted();
      return result;
    }
    return no_such_overload();
  }

  // Both && and ||: `decisive` is the value that ends the chain.
  Datum chain(const Node& node, bool decisive) {
    Datum failure;
    for (const NodeId child : node.children) {
      const Datum value = visit(child);
      if (exhausted_) return exhausted();
      if (value.kind() == Kind::kBool) {
        if (value.is_true() == decisive) return value;
      } else if (!failure.is_error()) {
        failure = value.is_error() ? value : no_such_overload();
      }
    }
    return failure.is_error() ? failure : Datum::boolean(!decisive);
  }

  // ?x in a literal: nothing is left out. False after an error or for what is no optional.
  bool unwrap(Datum& value, bool& keep) {
    keep = true;
    if (value.is_error()) return false;
    if (value.kind() != Kind::kOptional) {
      value = no_such_overload();
      return false;
    }
    keep = value.has_value();
    if (keep) value = Datum(value.optional_value());
    return true;
  }

  Datum list(const Node& node) {
    if (!charge(std::max<uint64_t>(kListCost, node.children.size()))) return exhausted();
    std::vector<Datum> items;
    items.reserve(node.children.size());
    for (size_t i = 0; i < node.children.size(); ++i) {
      Datum item = visit(node.children[i]);
      bool keep = true;
      if (node.optional_children[i] && !unwrap(item, keep)) return item;
      if (item.is_error()) return item;
      if (keep) items.push_back(std::move(item));
    }
    return Datum::list(std::move(items));
  }

  Datum map(const Node& node) {
    if (!charge(std::max<uint64_t>(kMapCost, node.children.size()))) return exhausted();
    std::vector<Datum::Entry> entries;
    if (Datum failure = collect_entries(node, entries); failure.is_error()) return failure;
    return Datum::map(std::move(entries));
  }

  Datum object(const Node& node) {
    if (!charge(std::max<uint64_t>(kObjectCost, node.children.size()))) return exhausted();
    std::vector<Datum::Entry> fields;
    if (Datum failure = collect_entries(node, fields); failure.is_error()) return failure;
    if (node.type.is_open_object()) return Datum::object(node.name, std::move(fields));
    for (const auto& [key, value] : fields) {
      const Type* declared = node.type.field(key.as_text());
      if (declared && !declared->is_dyn() && declared->kind() != value.kind()) {
        return Datum::error(cat("unexpected type ", value.type_name(), " for ", node.name, " '", key.as_text(), "' field"));
      }
    }
    return Datum::object(node.name, std::move(fields));
  }

  // The parts of a map or object; an error, or null.
  Datum collect_entries(const Node& node, std::vector<Datum::Entry>& entries) {
    for (size_t i = 0; i < node.children.size(); i += 2) {
      Datum key = visit(node.children[i]);
      if (key.is_error()) return key;
      if (!is_key(key)) return Datum::error(cat("unsupported key type: ", key.type_name()));
      Datum value = visit(node.children[i + 1]);
      bool keep = true;
      if (node.optional_children[i / 2] && !unwrap(value, keep)) return value;
      if (value.is_error()) return value;
      if (keep) entries.push_back({std::move(key), std::move(value)});
    }
    return {};
  }
  static bool is_key(const Datum& key) {
    return key.kind() == Kind::kString || key.kind() == Kind::kBool || key.kind() == Kind::kInt ||
           key.kind() == Kind::kUint;
  }

  Datum macro(const Node& node) {
    const Datum range = visit(node.children[0]);
    if (range.is_error()) return range;
    if (slots_.size() < node.slot + 2) slots_.resize(node.slot + 2);
    if (node.macro == Macro::kOptMap || node.macro == Macro::kOptFlatMap)
      return optional_map(node, range);
    if (range.kind() != Kind::kList && range.kind() != Kind::kMap) return no_such_overload();
    if (!charge(kResultCost)) return exhausted();
    switch (node.macro) {
      case Macro::kAll:
        return test(node, range, false);
      case Macro::kExists:
        return test(node, range, true);
      case Macro::kExistsOne:
        return exactly_one(node, range);
      default:
        return collect(node, range);
    }
  }

  Datum optional_map(const Node& node, const Datum& range) {
    if (range.kind() != Kind::kOptional) return no_such_overload();
    if (!range.has_value()) return Datum::none();
    slots_[node.slot] = range.optional_value();
    Datum value = visit(node.children.back());
    if (value.is_error() || node.macro == Macro::kOptFlatMap) return value;
    return Datum::optional(std::move(value));
  }

  // The item or key of the turn, and with two variables the index or key and the value.
  void bind(const Node& node, const Datum& range, size_t index) {
    const bool both = !node.second.empty();
    if (range.kind() == Kind::kList) {
      slots_[node.slot + (both ? 1 : 0)] = range.item(index);
      if (both) slots_[node.slot] = Datum::integer(static_cast<int64_t>(index));
    } else {
      auto entry = range.entry(index);
      slots_[node.slot] = std::move(entry.key);
      if (both) slots_[node.slot + 1] = std::move(entry.value);
    }
  }

  Datum test(const Node& node, const Datum& range, bool decisive) {
    Datum failure;
    for (size_t i = 0; i < range.size(); ++i) {
      if (!charge(decisive ? kExistsCost : kAllCost)) return exhausted();
      bind(node, range, i);
      const Datum value = visit(node.children.back());
      if (exhausted_) return exhausted();
      if (value.kind() == Kind::kBool) {
        if (value.is_true() == decisive) return value;
      } else if (!failure.is_error()) {
        failure = value.is_error() ? value : no_such_overload();
      }
    }
    return failure.is_error() ? failure : Datum::boolean(!decisive);
  }

  Datum exactly_one(const Node& node, const Datum& range) {
    size_t count = 0;
    for (size_t i = 0; i < range.size(); ++i) {
      if (!charge(kCountCost)) return exhausted();
      bind(node, range, i);
      const Datum value = visit(node.children.back());
      if (value.is_error()) return value;
      if (value.kind() != Kind::kBool) return no_such_overload();
      count += value.is_true() ? 1 : 0;
    }
    return Datum::boolean(count == 1);
  }

  // map, filter and the transforms.
  Datum collect(const Node& node, const Datum& range) {
    std::vector<Datum> items;
    std::vector<Datum::Entry> entries;
    const bool has_filter = node.children.size() == 3 || node.macro == Macro::kFilter;
    for (size_t i = 0; i < range.size(); ++i) {
      bind(node, range, i);
      if (has_filter) {
        const Datum keep = visit(node.children[1]);
        if (keep.is_error()) return keep;
        if (keep.kind() != Kind::kBool) return no_such_overload();
        if (keep.is_false()) {
          if (!charge(kSkipCost)) return exhausted();
          continue;
        }
      }
      if (!charge(kGrowCost)) return exhausted();
      Datum value = node.macro == Macro::kFilter ? slots_[node.slot] : visit(node.children.back());
      if (value.is_error()) return value;
      if (node.macro == Macro::kTransformMap) {
        // A list's keys are its indices.
        entries.push_back({slots_[node.slot], std::move(value)});
      } else if (node.macro == Macro::kTransformMapEntry) {
        if (value.kind() != Kind::kMap || value.size() != 1)
          return Datum::error("transformMapEntry needs a map with one entry");
        entries.push_back(value.entry(0));
      } else {
        items.push_back(std::move(value));
      }
    }
    const bool makes_map =
        node.macro == Macro::kTransformMap || node.macro == Macro::kTransformMapEntry;
    return makes_map ? Datum::map(std::move(entries)) : Datum::list(std::move(items));
  }

  const Tree& tree_;
  std::vector<Datum> slots_;  // the bindings, then the variables of macros by nesting
  Budget& budget_;
  bool exhausted_ = false;
};

}  // namespace

Datum evaluate(const Tree& tree, std::span<const Datum> bindings, Budget& budget) {
  return Evaluator(tree, bindings, budget).visit(tree.root);
}

}  // namespace minik::control::cel
