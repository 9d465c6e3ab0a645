#include "control/cel/cost_estimate.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "control/cel/costs.h"
#include "control/cel/overloads.h"
#include "control/cel/syntax.h"

namespace minik::control::cel {

namespace {

constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();
// cel-go's number, as those of costs.h.
constexpr uint64_t kInsertCost = 3;

// Of a number, a boolean, a time or a duration as text.
constexpr uint64_t kPrintedBytesMax = 40;

uint64_t sum(uint64_t a, uint64_t b) { return a > kUnknown - b ? kUnknown : a + b; }
uint64_t product(uint64_t a, uint64_t b) { return a != 0 && b > kUnknown / a ? kUnknown : a * b; }
uint64_t part(uint64_t n, uint64_t of) { return n == kUnknown ? kUnknown / of : n / of + (n % of != 0 ? 1 : 0); }

bool is_scalar(Kind kind) {
  return kind == Kind::kBool || kind == Kind::kDouble || kind == Kind::kInt || kind == Kind::kUint ||
         kind == Kind::kDuration || kind == Kind::kTimestamp || kind == Kind::kType;
}
bool is_list(const Type& type) { return type.kind() == Kind::kList || type.kind() == Kind::kMap; }

// What is known of the value of a node.
struct Estimate {
  uint64_t cost = 0;
  std::optional<uint64_t> size;  // of what the expression itself makes
  SizeBound::Ptr bound;          // of a place in the document
};

class Estimator {
 public:
  Estimator(const Tree& tree, std::span<const SizeBound::Ptr> variables)
      : tree_(tree), slots_(variables.begin(), variables.end()) {}

  Estimate visit(NodeId id) {
    const Node& node = tree_[id];
    switch (node.kind) {
      case NodeKind::kConstant: return {0, constant_size(node.constant), nullptr};
      case NodeKind::kIdentifier: return {kNameCost, std::nullopt, node.slot < slots_.size() ? slots_[node.slot] : nullptr};
      case NodeKind::kSelect: return select(node);
      case NodeKind::kHas: return {visit(node.children[0]).cost, std::nullopt, nullptr};
      case NodeKind::kCall: return call(node);
      case NodeKind::kAnd:
      case NodeKind::kOr: return {sum_of(node), std::nullopt, nullptr};
      case NodeKind::kConditional: return conditional(node);
      case NodeKind::kList: return {sum(sum_of(node), kListCost), node.children.size(), nullptr};
      case NodeKind::kMap: return {sum(sum_of(node), kMapCost), node.children.size() / 2, nullptr};
      case NodeKind::kObject: return {sum(sum_of(node), kObjectCost), std::nullopt, nullptr};
      case NodeKind::kMacro: return macro(node);
    }
    return {};
  }

 private:
  static std::optional<uint64_t> constant_size(const Datum& constant) {
    if (constant.kind() == Kind::kString || constant.kind() == Kind::kBytes) return constant.as_text().size();
    return std::nullopt;
  }

  uint64_t sum_of(const Node& node) {
    uint64_t cost = 0;
    for (const NodeId child : node.children) cost = sum(cost, visit(child).cost);
    return cost;
  }

  static uint64_t size_of(const Estimate& estimate, const Type& type) {
    if (estimate.size) return *estimate.size;
    if (estimate.bound) return estimate.bound->elements_max;
    return is_scalar(type.kind()) ? 1 : kUnknown;
  }

  static SizeBound::Ptr field_of(const SizeBound::Ptr& bound, std::string_view name) {
    if (!bound) return nullptr;
    const auto found = bound->fields.find(name);
    return found == bound->fields.end() ? bound->items : found->second;
  }

  Estimate select(const Node& node) {
    const Estimate target = visit(node.children[0]);
    const Kind kind = tree_[node.children[0]].type.kind();
    const bool counts = kind == Kind::kMap || kind == Kind::kObject || kind == Kind::kDyn;
    return {sum(target.cost, counts ? kNameCost : 0), std::nullopt, field_of(target.bound, node.name)};
  }

  Estimate conditional(const Node& node) {
    const Estimate condition = visit(node.children[0]), yes = visit(node.children[1]), no = visit(node.children[2]);
    const uint64_t size = std::max(size_of(yes, tree_[node.children[1]].type), size_of(no, tree_[node.children[2]].type));
    return {sum(condition.cost, std::max(yes.cost, no.cost)), size, nullptr};
  }

  Estimate call(const Node& node) {
    std::vector<Estimate> arguments;
    std::vector<uint64_t> sizes;
    Estimate made;
    for (const NodeId child : node.children) {
      arguments.push_back(visit(child));
      sizes.push_back(size_of(arguments.back(), tree_[child].type));
      made.cost = sum(made.cost, arguments.back().cost);
    }
    if (node.name == "join") return joined(std::move(made), arguments, sizes);
    uint64_t dearest = 0;
    for (const Overload* overload : node.overloads) dearest = std::max(dearest, cost_of(*overload, node, sizes));
    made.cost = sum(made.cost, dearest);
    if (node.name == "_[_]" || node.name == "_[?_]") {
      made.bound = arguments[0].bound ? arguments[0].bound->items : nullptr;
    } else {
      made.size = result_size(node, sizes);
      // cel-go knows no bound here, by which the very example of Kubernetes' documentation would be too dear.
      const bool prints = node.name == "string" && node.children.size() == 1 && is_scalar(tree_[node.children[0]].type.kind());
      if (prints) made.size = kPrintedBytesMax;
    }
    return made;
  }

  // The items of a list and what stands between them.
  static Estimate joined(Estimate made, const std::vector<Estimate>& arguments, const std::vector<uint64_t>& sizes) {
    const SizeBound::Ptr& list = arguments[0].bound;
    const uint64_t item = list && list->items ? list->items->elements_max : kUnknown;
    const uint64_t separator = sizes.size() > 1 ? sizes[1] : 0;
    made.size = product(sizes[0], sum(item, separator));
    made.cost = sum(made.cost, part(*made.size, 10));
    return made;
  }

  uint64_t sum_of_sizes(const Node& node, const std::vector<uint64_t>& sizes, bool lists) const {
    uint64_t total = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const Type& type = tree_[node.children[i]].type;
      if (!is_scalar(type.kind()) && is_list(type) == lists) total = sum(total, sizes[i]);
    }
    return total;
  }

  uint64_t cost_of(const Overload& overload, const Node& node, const std::vector<uint64_t>& sizes) const {
    switch (overload.cost) {
      case Cost::kOne: return 1;
      case Cost::kMakes:
        // Lists are joined at once, whatever they hold.
        if (node.name == "_+_" && overload.result.kind() == Kind::kList) return 1;
        [[fallthrough]];
      case Cost::kTraverse:
        return std::max<uint64_t>(1, sum(part(sum_of_sizes(node, sizes, false), 10), sum_of_sizes(node, sizes, true)));
      case Cost::kReceiver: return part(sizes[sizes.size() > 1 ? 1 : 0], 10);  // no more than what is looked for
      case Cost::kItems: return sum_of_sizes(node, sizes, true);
      case Cost::kProduct: return product(part(sizes[0], 10), part(sizes[1], 10));
      case Cost::kPattern: return product(part(sum(sizes[0], 1), 10), part(sizes[1], 4));
      case Cost::kSmaller: return part(std::min(sizes[0], sizes[1]), 10);
      case Cost::kAccess: return kAccessCost;
      case Cost::kSets: return product(sizes[0], sizes[1]);
    }
    return 1;
  }

  // Of a text or list that a function makes; nothing: it may be anything.
  static std::optional<uint64_t> result_size(const Node& node, const std::vector<uint64_t>& sizes) {
    const Kind kind = node.type.kind();
    if (kind != Kind::kString && kind != Kind::kBytes && kind != Kind::kList) return std::nullopt;
    const std::string_view name = node.name;
    if (name == "_+_") return sum(sizes[0], sizes[1]);
    if (name == "replace") return sum(sizes[0], product(sum(sizes[0], 1), sizes[2]));
    if (name == "bytes") return product(sizes[0], 4);
    if (name == "string") return sizes[0];
    constexpr std::string_view kNoLonger[] = {"charAt", "find", "findAll", "lowerAscii", "reverse", "split", "substring", "trim",
                                              "upperAscii"};
    if (std::ranges::find(kNoLonger, name) != std::end(kNoLonger)) return sizes[0];
    return std::nullopt;
  }

  Estimate optional_macro(const Node& node, const Estimate& range) {
    bind(node, range.bound, range.bound);
    // Asked whether there is one, and then for it.
    const uint64_t look = sum(product(range.cost, 2), 2 + kNameCost + kListCost);
    return {sum(look, visit(node.children.back()).cost), std::nullopt, nullptr};
  }

  void bind(const Node& node, SizeBound::Ptr first, SizeBound::Ptr second) {
    if (slots_.size() < node.slot + 2) slots_.resize(node.slot + 2);
    slots_[node.slot] = std::move(first);
    slots_[node.slot + 1] = std::move(second);
  }

  Estimate macro(const Node& node) {
    const Estimate range = visit(node.children[0]);
    if (node.macro == Macro::kOptMap || node.macro == Macro::kOptFlatMap) return optional_macro(node, range);
    const Type& type = tree_[node.children[0]].type;
    const SizeBound::Ptr items = range.bound ? range.bound->items : nullptr;
    const bool by_value = node.second.empty() && type.kind() == Kind::kList;
    bind(node, by_value ? items : nullptr, items);
    uint64_t turn = turn_cost(node);
    for (size_t i = 1; i < node.children.size(); ++i) turn = sum(turn, visit(node.children[i]).cost);
    const uint64_t count = size_of(range, type);
    const bool grows = node.macro != Macro::kAll && node.macro != Macro::kExists && node.macro != Macro::kExistsOne;
    const uint64_t result = grows ? kListCost + kNameCost : kNameCost;
    Estimate made{sum(sum(range.cost, result), product(count, turn)), std::nullopt, nullptr};
    if (grows) made.size = count;
    if (node.macro == Macro::kFilter) made.bound = range.bound;
    return made;
  }

  static uint64_t turn_cost(const Node& node) {
    switch (node.macro) {
      case Macro::kAll: return kAllCost;
      case Macro::kExists: return kExistsCost;
      case Macro::kExistsOne: return kCountCost;
      case Macro::kFilter: return kGrowCost + kNameCost;
      case Macro::kTransformMap:
      case Macro::kTransformMapEntry: return kInsertCost;
      default: return kGrowCost;
    }
  }

  const Tree& tree_;
  std::vector<SizeBound::Ptr> slots_;  // of the variables, then of those of macros by nesting
};

}  // namespace

uint64_t estimated_cost(const Program& program, std::span<const SizeBound::Ptr> variables) {
  return Estimator(program.tree(), variables).visit(program.tree().root).cost;
}

}  // namespace minik::control::cel
