#include "control/object/selector.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// Splits at commas that stand outside parentheses.
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> terms;
  int depth = 0;
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (text[i] == ',' && depth == 0) {
      terms.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  terms.push_back(text.substr(start));
  return terms;
}

bool label_name(std::string_view text) {
  if (text.empty() || text.size() > 63) return false;
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!alnum(text.front()) || !alnum(text.back())) return false;
  return std::ranges::all_of(text,
                             [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

bool dns_subdomain(std::string_view text) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.size() > 253) return false;
  return std::ranges::all_of(split(text, '.'), [&](std::string_view part) {
    return !part.empty() && alnum(part.front()) && alnum(part.back()) &&
           std::ranges::all_of(part, [&](char c) { return alnum(c) || c == '-'; });
  });
}

bool label_key(std::string_view text) {
  const size_t slash = text.rfind('/');
  if (slash != std::string_view::npos) {
    const auto prefix = text.substr(0, slash);
    if (!dns_subdomain(prefix)) return false;
    text.remove_prefix(slash + 1);
  }
  return label_name(text);
}

Error unparsable(std::string_view text) {
  return Error(ErrorCode::kBadRequest,
               cat("unable to parse requirement: ", quoted(text), " is not a label requirement"));
}

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

Result<LabelSelector::Requirement> LabelSelector::parse_requirement(std::string_view text) {
  text = trim(text);
  const auto finish = [&](std::string_view key, Operator op,
                          std::vector<Key> values) -> Result<Requirement> {
    key = trim(key);
    if (!label_key(key)) return unparsable(text);
    for (const auto& value : values) {
      if (!value.text().empty() && !label_name(value.text())) return unparsable(text);
    }
    return Requirement{Key(key), op, std::move(values)};
  };
  if (text.starts_with('!')) return finish(text.substr(1), Operator::kNotExists, {});
  if (const size_t open = text.find('('); open != std::string_view::npos) {
    if (!text.ends_with(')')) return unparsable(text);
    const auto head = trim(text.substr(0, open));
    const bool negative = head.ends_with(" notin");
    if (!negative && !head.ends_with(" in")) return unparsable(text);
    std::vector<Key> values;
    for (const auto value : split(text.substr(open + 1, text.size() - open - 2), ',')) {
      values.emplace_back(trim(value));
    }
    return finish(head.substr(0, head.size() - (negative ? 6 : 3)),
                  negative ? Operator::kNotIn : Operator::kIn, std::move(values));
  }
  const auto binary = [&](std::string_view sign, Operator op) -> Result<Requirement> {
    const size_t at = text.find(sign);
    return finish(text.substr(0, at), op, {Key(trim(text.substr(at + sign.size())))});
  };
  if (text.find("!=") != std::string_view::npos) return binary("!=", Operator::kNotIn);
  if (text.find("==") != std::string_view::npos) return binary("==", Operator::kIn);
  if (text.find('=') != std::string_view::npos) return binary("=", Operator::kIn);
  if (text.find('>') != std::string_view::npos) return binary(">", Operator::kGreater);
  if (text.find('<') != std::string_view::npos) return binary("<", Operator::kLess);
  return finish(text, Operator::kExists, {});
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  if (trim(text).empty()) return selector;
  for (const auto term : split_terms(text)) {
    MINIK_ASSIGN(auto requirement, parse_requirement(term));
    selector.requirements_.push_back(std::move(requirement));
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
