#include "control/object/selector.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// Both are whole numbers, and the first is the smaller one.
bool is_less(std::string_view a, std::string_view b) {
  const auto left = parse_int64(a);
  if (!left) return false;
  const auto right = parse_int64(b);
  return right.has_value() && left.value() < right.value();
}

std::string scalar_text(const Value& value) {
  if (value.is_string()) return value.string();
  return value.has_value() ? to_json(value) : std::string();
}

}  // namespace

LabelSelector LabelSelector::nothing() {
  LabelSelector selector;
  selector.nothing_ = true;
  return selector;
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  MINIK_ASSIGN(const auto terms, parse_selector_text(text));
  for (const auto& term : terms) {
    selector.requirements_.push_back({Key(term.key), term.op, {term.values.begin(), term.values.end()}});
  }
  selector.sort();
  return selector;
}

Result<LabelSelector> LabelSelector::from_object(const Value& object) {
  if (!object.has_value()) return nothing();
  LabelSelector selector;
  for (const auto& [key, value] : object[keys::kMatchLabels].entries()) {
    selector.requirements_.push_back({key, Operator::kIn, {Key(value)}});
  }
  for (const auto& expression : object[keys::kMatchExpressions].items()) {
    const auto op_text = expression[keys::kOperator].as_string();
    Operator op = Operator::kIn;
    if (op_text == "NotIn") {
      op = Operator::kNotIn;
    } else if (op_text == "Exists") {
      op = Operator::kExists;
    } else if (op_text == "DoesNotExist") {
      op = Operator::kNotExists;
    } else if (op_text == "Gt") {
      op = Operator::kGreater;
    } else if (op_text == "Lt") {
      op = Operator::kLess;
    } else if (op_text != "In") {
      return Error(ErrorCode::kInvalid,
                   cat(quoted(op_text), " is not a valid label selector operator"));
    }
    Requirement requirement{Key(expression[keys::kKey].as_string()), op, {}};
    for (const auto& value : expression[keys::kValues].items()) {
      requirement.values.emplace_back(value.as_string());
    }
    selector.requirements_.push_back(std::move(requirement));
  }
  selector.sort();
  return selector;
}

LabelSelector LabelSelector::from_map(const Value& labels) {
  if (labels.empty()) return nothing();
  LabelSelector selector;
  for (const auto& [key, value] : labels.entries()) {
    if (value.is_string()) selector.requirements_.push_back({key, Operator::kIn, {Key(value)}});
  }
  return selector;
}

void LabelSelector::sort() {
  std::ranges::stable_sort(requirements_, {}, [](const Requirement& r) { return r.key.text(); });
}

bool LabelSelector::matches(const Value& labels) const {
  if (nothing_) return false;
  for (const auto& [key, op, values] : requirements_) {
    const Value& label = labels[key];
    const bool present = label.is_string();
    const auto listed = [&, &wanted = values] {
      return std::ranges::any_of(wanted, [&](const Key& k) { return label == Value(k); });
    };
    bool ok = false;
    switch (op) {
      case Operator::kIn:
        ok = present && listed();
        break;
      case Operator::kNotIn:
        ok = !present || !listed();
        break;
      case Operator::kExists:
        ok = present;
        break;
      case Operator::kNotExists:
        ok = !present;
        break;
      case Operator::kGreater:
        ok = present && !values.empty() && is_less(values[0].text(), label.as_string());
        break;
      case Operator::kLess:
        ok = present && !values.empty() && is_less(label.as_string(), values[0].text());
        break;
    }
    if (!ok) return false;
  }
  return true;
}

std::string LabelSelector::text() const {
  std::string out;
  for (const auto& [key, op, values] : requirements_) {
    if (!out.empty()) out += ',';
    const auto list = [&, &all = values] {
      std::vector<std::string> parts;
      for (const auto& value : all) parts.emplace_back(value.text());
      std::ranges::sort(parts);
      return cat("(", join(parts, ","), ")");
    };
    const bool one = values.size() == 1;
    switch (op) {
      case Operator::kIn:
        out += one ? cat(key.text(), "=", values[0].text()) : cat(key.text(), " in ", list());
        break;
      case Operator::kNotIn:
        out += one ? cat(key.text(), "!=", values[0].text()) : cat(key.text(), " notin ", list());
        break;
      case Operator::kExists:
        out += key.text();
        break;
      case Operator::kNotExists:
        out += cat("!", key.text());
        break;
      case Operator::kGreater:
        out += cat(key.text(), ">", values[0].text());
        break;
      case Operator::kLess:
        out += cat(key.text(), "<", values[0].text());
        break;
    }
  }
  return out;
}

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  if (trim(text).empty()) return selector;
  for (const auto part : split(text, ',')) {
    if (trim(part).empty()) continue;
    Term term;
    size_t at = part.find("!=");
    size_t length = 2;
    if (at != std::string_view::npos) {
      term.equal = false;
    } else if (at = part.find("=="); at == std::string_view::npos) {
      at = part.find('=');
      length = 1;
    }
    if (at == std::string_view::npos) {
      return Error(ErrorCode::kBadRequest,
                   cat("invalid selector: '", text, "'; can't understand '", part, "'"));
    }
    term.path = trim(part.substr(0, at));
    term.value = trim(part.substr(at + length));
    for (const auto key : split(term.path, '.')) term.keys.emplace_back(key);
    selector.terms_.push_back(std::move(term));
  }
  return selector;
}

bool FieldSelector::matches(const Value& object) const {
  return std::ranges::all_of(terms_, [&](const Term& term) {
    const Value* value = &object;
    for (const auto& key : term.keys) value = &(*value)[key];
    return (scalar_text(*value) == term.value) == term.equal;
  });
}

std::string_view FieldSelector::required(std::string_view path) const {
  for (const auto& term : terms_) {
    if (term.equal && term.path == path) return term.value;
  }
  return {};
}

}  // namespace minik::control
