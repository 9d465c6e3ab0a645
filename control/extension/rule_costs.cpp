#include "control/extension/rule_costs.h"

#include <algorithm>
#include <limits>

#include "control/base/text.h"
#include "control/cel/cost_estimate.h"

namespace minik::control {

namespace {

using NodeType = SchemaNode::Type;
constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
constexpr size_t kDearestMax = 4;  // are named when all together are too dear

// The least that values of a type take in JSON: "", 0, true, {}, a time of day with its date, and so on.
constexpr uint64_t kTextBytes = 2, kNumberBytes = 1, kBooleanBytes = 4, kBracketBytes = 2, kDurationBytes = 3, kDateBytes = 12,
                   kTimeBytes = 21, kLongestTimeBytes = 37, kLongestDurationBytes = 32;

uint64_t product(uint64_t a, uint64_t b) { return a != 0 && b > kMost / a ? kMost : a * b; }
uint64_t not_negative(int64_t n) { return n < 0 ? 0 : static_cast<uint64_t>(n); }

uint64_t least_bytes(const SchemaNode& node) {
  if (node.int_or_string) return 1;
  switch (node.type) {
    case NodeType::kString:
      if (node.format == "duration") return kDurationBytes;
      if (node.format == "date") return kDateBytes;
      return node.format == "date-time" ? kTimeBytes : kTextBytes;
    case NodeType::kInteger:
    case NodeType::kNumber: return kNumberBytes;
    case NodeType::kBoolean: return kBooleanBytes;
    case NodeType::kObject: {
      uint64_t bytes = kBracketBytes;
      for (const auto& property : node.properties) {
        const bool required = std::ranges::find(node.required, property.key.text()) != node.required.end();
        // A default is put in by the server and need not be sent.
        if (!required || property.node->default_value.has_value()) continue;
        bytes += property.key.text().size() + least_bytes(*property.node) + 4;
      }
      return bytes;
    }
    default: return kBracketBytes;
  }
}

uint64_t longest_text(const SchemaNode& node) {
  const bool bytes = node.format == "byte";
  if (node.format == "duration") return kLongestDurationBytes;
  if (node.format == "date") return kDateBytes;
  if (node.format == "date-time") return kLongestTimeBytes;
  // A character may take four bytes.
  if (node.length_max) return product(not_negative(*node.length_max), bytes ? 1 : 4);
  if (node.enum_values.empty() || bytes) return kRequestBytesMax - 2;
  uint64_t longest = 0;
  for (const auto& value : node.enum_values) longest = std::max<uint64_t>(longest, value.as_string().size() + 2);
  return longest;
}

cel::SizeBound::Ptr bound_of(const SchemaNode& node, SchemaLevel level) {
  auto bound = std::make_shared<cel::SizeBound>();
  if (node.int_or_string) {
    bound->elements_max = kRequestBytesMax - 2;
    return bound;
  }
  switch (node.type) {
    case NodeType::kString: bound->elements_max = longest_text(node); break;
    case NodeType::kArray:
      if (!node.items) return nullptr;
      bound->items = bound_of(*node.items, SchemaLevel::kBelow);
      bound->elements_max = node.items_max ? not_negative(*node.items_max)
                                           : (kRequestBytesMax - 2) / (least_bytes(*node.items) + 1);
      break;
    case NodeType::kObject:
      if (node.additional) {
        bound->items = bound_of(*node.additional, SchemaLevel::kBelow);
        bound->elements_max = node.properties_max ? not_negative(*node.properties_max)
                                                  : (kRequestBytesMax - 2) / (least_bytes(*node.additional) + 6);
      }
      for (const auto& property : node.properties) {
        bound->fields.emplace(std::string(property.key.text()), bound_of(*property.node, SchemaLevel::kBelow));
      }
      if (level == SchemaLevel::kRoot || node.embedded_resource) {
        const auto text = std::make_shared<cel::SizeBound>();
        text->elements_max = kRequestBytesMax - 2;
        const auto metadata = std::make_shared<cel::SizeBound>();
        metadata->fields = {{"generateName", text}, {"name", text}};
        bound->fields.insert_or_assign("apiVersion", text);
        bound->fields.insert_or_assign("kind", text);
        bound->fields.insert_or_assign("metadata", metadata);
      }
      break;
    case NodeType::kAny: return nullptr;
    default: break;
  }
  return bound;
}

// 1.4x, 17.3x, "more than 100x", in whole numbers: what is written must not depend on a rounding mode.
std::string factor_of(uint64_t cost, uint64_t limit) {
  if (cost / limit >= 100 && cost > 100 * limit) return "more than 100x";
  const bool exact = cost < limit + limit / 2;
  const uint64_t digits = exact ? 1'000'000 : 10;
  const uint64_t scaled = (cost * digits + limit / 2) / limit;
  std::string fraction = cat(scaled % digits);
  fraction.insert(0, (exact ? 6U : 1U) - fraction.size(), '0');
  return cat(scaled / digits, ".", fraction, "x");
}

std::string exceeds(std::string_view what, uint64_t cost, uint64_t limit) {
  return cat(what, " exceeds budget by factor of ", factor_of(cost, limit),
             " (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
             "are declared)");
}

}  // namespace

std::optional<uint64_t> places_below(std::optional<uint64_t> places, std::optional<int64_t> limit) {
  if (!places || !limit) return std::nullopt;
  return product(*places, not_negative(*limit));
}

void RuleCosts::check(const ValidationRule& rule, const SchemaNode& node, SchemaLevel level, std::optional<uint64_t> places,
                      const FieldPath& at, FieldErrors& errors) {
  const cel::SizeBound::Ptr self = bound_of(node, level);
  const cel::SizeBound::Ptr variables[] = {self, rule.optional_old_self ? nullptr : self};
  const uint64_t asked = places.value_or(kRequestBytesMax / (least_bytes(node) + 1));
  note(product(cel::estimated_cost(rule.program, variables), asked), "rule", "estimated rule cost", at, errors);
  if (!rule.message_program) return;
  note(product(cel::estimated_cost(*rule.message_program, variables), asked), "messageExpression",
       "estimated messageExpression cost", at, errors);
}

void RuleCosts::note(uint64_t cost, std::string_view field, std::string_view what, const FieldPath& at, FieldErrors& errors) {
  const FieldPath here = at.field(field);
  if (cost > kRuleCostMax) errors.forbidden(here, exceeds(what, cost, kRuleCostMax));
  total_ = total_ > kMost - cost ? kMost : total_ + cost;
  dearest_.emplace(cost, here.text());
  if (dearest_.size() > kDearestMax) dearest_.erase(std::prev(dearest_.end()));
}

void RuleCosts::check_total(const FieldPath& at, FieldErrors& errors) const {
  if (total_ <= kDefinitionCostMax) return;
  for (const auto& [cost, path] : dearest_) {
    const FieldPath here(path);
    errors.forbidden(here, "contributed to estimated rule & messageExpression cost total exceeding cost limit for entire "
                           "OpenAPIv3 schema");
  }
  errors.forbidden(at, exceeds("x-kubernetes-validations estimated rule & messageExpression cost total for entire OpenAPIv3 schema",
                               total_, kDefinitionCostMax));
}

}  // namespace minik::control
