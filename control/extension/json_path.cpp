#include "control/extension/json_path.h"

#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::control {

class JsonPath::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Step>> path() {
    std::vector<Step> steps;
    while (at_ < text_.size()) {
      MINIK_TRY(step(steps));
      if (steps.size() > kStepsMax) return error("has too many steps");
    }
    return steps;
  }

 private:
  static constexpr size_t kStepsMax = 64;

  Error error(std::string_view why) const {
    return Error(ErrorCode::kInvalid, cat("JSONPath ", quoted(text_), " ", why));
  }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  // Up to a delimiter; a backslash takes the next character as it is.
  std::string name(std::string_view delimiters) {
    std::string out;
    while (at_ < text_.size() && delimiters.find(text_[at_]) == std::string_view::npos) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_++];
    }
    return out;
  }

  Result<std::string> quoted_text() {
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_++];
    }
    if (at_ >= text_.size()) return error("has a quote without an end");
    ++at_;
    return out;
  }

  Status step(std::vector<Step>& steps) {
    if (take("..")) {
      // Several would visit a document once for each way through it.
      if (descends_) return error("descends more than once");
      descends_ = true;
      steps.push_back({Step::Kind::kDescend, {}, 0, {}, {}, {}});
      if (at_ < text_.size() && text_[at_] == '[') return {};
    } else if (text_[at_] == '[') {
      return bracket(steps);
    } else if (!take(".")) {
      return error("must begin with a dot");
    }
    if (at_ < text_.size() && text_[at_] == '[') return {};
    if (take("*")) {
      steps.push_back({Step::Kind::kAll, {}, 0, {}, {}, {}});
      return {};
    }
    std::string field = name(".[");
    if (field.empty()) return error("names no field after a dot");
    steps.push_back({Step::Kind::kField, std::move(field), 0, {}, {}, {}});
    return {};
  }

  Status bracket(std::vector<Step>& steps) {
    ++at_;
    skip_spaces();
    if (at_ >= text_.size()) return error("has a bracket without an end");
    if (take("?(")) {
      MINIK_ASSIGN(auto filter, filter_step());
      steps.push_back(std::move(filter));
    } else if (take("*")) {
      steps.push_back({Step::Kind::kAll, {}, 0, {}, {}, {}});
    } else if (text_[at_] == '\'' || text_[at_] == '"') {
      MINIK_ASSIGN(std::string field, quoted_text());
      steps.push_back({Step::Kind::kField, std::move(field), 0, {}, {}, {}});
    } else {
      const std::string number = name("]");
      const auto index = parse_int64(trim(number));
      if (!index) return error(cat("has ", quoted(number), " in brackets; an index, '*', a quoted name or ?(…) is known"));
      steps.push_back({Step::Kind::kIndex, {}, *index, {}, {}, {}});
    }
    skip_spaces();
    if (!take("]")) return error("has a bracket without an end");
    return {};
  }

  Result<Step> filter_step() {
    Step filter{Step::Kind::kFilter, {}, 0, {}, {}, {}};
    skip_spaces();
    if (!take("@")) return error("has a filter that does not begin with @");
    while (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == '[')) {
      if (text_[at_] == '[') {
        if (++depth_ > 8) return error("is nested too deeply");
        MINIK_TRY(bracket(filter.left));
        --depth_;
        continue;
      }
      ++at_;
      std::string field = name(".[ =!<>)");
      if (field.empty()) return error("names no field after a dot");
      filter.left.push_back({Step::Kind::kField, std::move(field), 0, {}, {}, {}});
    }
    skip_spaces();
    for (const std::string_view op : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (!take(op)) continue;
      filter.op = op;
      skip_spaces();
      MINIK_ASSIGN(filter.right, literal());
      break;
    }
    skip_spaces();
    if (!take(")")) return error("has a filter without an end");
    return filter;
  }

  Result<Value> literal() {
    if (at_ >= text_.size()) return error("ends within a filter");
    if (text_[at_] == '\'' || text_[at_] == '"') {
      MINIK_ASSIGN(const std::string text, quoted_text());
      return Value(text);
    }
    const std::string word = name(" )");
    auto value = parse_json(word);
    if (!value) return error(cat("compares with ", quoted(word), ", which is no value"));
    return *std::move(value);
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
  bool descends_ = false;
};

Result<JsonPath> JsonPath::parse(std::string_view text) {
  text = trim(text);
  if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
  if (text.starts_with('$')) text.remove_prefix(1);
  JsonPath path;
  MINIK_ASSIGN(path.steps_, Parser(text).path());
  if (path.steps_.empty()) return Error(ErrorCode::kInvalid, "JSONPath is empty");
  return path;
}

std::vector<std::string> JsonPath::fields() const {
  std::vector<std::string> names;
  for (const auto& step : steps_) {
    if (step.kind != Step::Kind::kField) return {};
    names.push_back(step.name);
  }
  return names;
}

std::vector<Value> JsonPath::find(const Value& document) const {
  std::vector<Value> found;
  apply(steps_, 0, document, found);
  return found;
}

void JsonPath::apply(const std::vector<Step>& steps, size_t at, const Value& value, std::vector<Value>& out) {
  if (at == steps.size()) {
    if (!value.is_absent()) out.push_back(value);
    return;
  }
  const Step& step = steps[at];
  const auto each = [&](auto&& visit) {
    for (const auto& item : value.items()) visit(item);
    for (const auto& entry : value.entries()) visit(entry.value);
  };
  switch (step.kind) {
    case Step::Kind::kField:
      if (value.is_map()) apply(steps, at + 1, value.get(step.name), out);
      return;
    case Step::Kind::kIndex: {
      const auto size = static_cast<int64_t>(value.items().size());
      const int64_t index = step.index < 0 ? step.index + size : step.index;
      if (index >= 0 && index < size) apply(steps, at + 1, value.items()[static_cast<size_t>(index)], out);
      return;
    }
    case Step::Kind::kAll: each([&](const Value& item) { apply(steps, at + 1, item, out); }); return;
    case Step::Kind::kFilter:
      for (const auto& item : value.items()) {
        if (holds(step, item)) apply(steps, at + 1, item, out);
      }
      return;
    case Step::Kind::kDescend:
      apply(steps, at + 1, value, out);
      each([&](const Value& item) { apply(steps, at, item, out); });
  }
}

bool JsonPath::holds(const Step& filter, const Value& item) {
  std::vector<Value> found;
  apply(filter.left, 0, item, found);
  if (found.empty() || filter.op.empty()) return !found.empty();
  const Value& left = found.front();
  const Value& right = filter.right;
  if (filter.op == "==") return left == right;
  if (filter.op == "!=") return !(left == right);
  if (left.is_number() && right.is_number()) {
    const double a = left.as_double(), b = right.as_double();
    return filter.op == "<" ? a < b : filter.op == "<=" ? a <= b : filter.op == ">" ? a > b : a >= b;
  }
  if (!left.is_string() || !right.is_string()) return false;
  const auto order = left.as_string().compare(right.as_string());
  return filter.op == "<" ? order < 0 : filter.op == "<=" ? order <= 0 : filter.op == ">" ? order > 0 : order >= 0;
}

}  // namespace minik::control
