#include "control/cel/overloads.h"

#include <algorithm>
#include <array>
#include <map>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/cel/limits.h"

namespace minik::control::cel {

namespace {

// Reads "list<A>.f(A, int) -> bool". The texts are ours, so a mistake is a CHECK.
class SignatureReader {
 public:
  explicit SignatureReader(std::string_view text) : text_(text) {}

  Overload read() {
    Overload overload;
    const size_t open = text_.find('(');
    CHECK(open != std::string_view::npos) << text_;
    std::string_view head = text_.substr(0, open);
    // Only a receiver's dot makes a member: `sets.contains` and `ip.isCanonical` are names.
    const size_t dot = head.rfind('.');
    if (dot != std::string_view::npos && is_type(head.substr(0, dot))) {
      overload.member = true;
      overload.arguments.push_back(type());
      ++at_;
      head.remove_prefix(dot + 1);
    }
    overload.name = head;
    at_ = open + 1;
    while (text_[at_] != ')') {
      overload.arguments.push_back(type());
      while (text_[at_] == ',' || text_[at_] == ' ') ++at_;
    }
    CHECK(text_.substr(at_, 5) == ") -> ") << text_;
    at_ += 5;
    overload.result = type();
    CHECK(at_ == text_.size()) << text_;
    return overload;
  }

 private:
  static const std::map<std::string_view, Kind>& kinds() {
    static const std::map<std::string_view, Kind> table = {
        {"dyn", Kind::kDyn},           {"null", Kind::kNull},    {"bool", Kind::kBool},
        {"int", Kind::kInt},           {"uint", Kind::kUint},    {"double", Kind::kDouble},
        {"string", Kind::kString},     {"bytes", Kind::kBytes},  {"timestamp", Kind::kTimestamp},
        {"duration", Kind::kDuration}, {"type", Kind::kType},    {"Quantity", Kind::kQuantity},
        {"URL", Kind::kUrl},           {"IP", Kind::kIp},        {"CIDR", Kind::kCidr},
        {"Semver", Kind::kSemver},     {"Format", Kind::kFormat},
        {"Authorizer", Kind::kAuthorizer},       {"PathCheck", Kind::kPathCheck},
        {"GroupCheck", Kind::kGroupCheck},       {"ResourceCheck", Kind::kResourceCheck},
        {"Decision", Kind::kDecision}};
    return table;
  }
  static bool is_type(std::string_view text) {
    return kinds().contains(text.substr(0, text.find('<'))) || text.starts_with("list<") ||
           text.starts_with("map<") || text.starts_with("optional<") || text == "A";
  }

  Type type() {
    while (text_[at_] == ' ') ++at_;
    const size_t begin = at_;
    while (at_ < text_.size() &&
           std::string_view("<>,). ").find(text_[at_]) == std::string_view::npos)
      ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (word == "A" || word == "B") return Type::parameter(std::string(word));
    if (word == "list" || word == "optional") {
      Type inner = bracketed('>');
      return word == "list" ? Type::list(std::move(inner)) : Type::optional(std::move(inner));
    }
    if (word == "map") {
      Type key = bracketed(',');
      --at_;
      Type value = bracketed('>');
      return Type::map(std::move(key), std::move(value));
    }
    const auto found = kinds().find(word);
    CHECK(found != kinds().end()) << text_;
    return found->second;
  }
  Type bracketed(char end) {
    ++at_;
    Type inner = type();
    CHECK(text_[at_] == end) << text_;
    ++at_;
    return inner;
  }

  std::string_view text_;
  size_t at_ = 0;
};

using Name = std::pair<std::string, bool>;

const std::map<Name, std::vector<Overload>>& table() {
  static const auto built = [] {
    std::map<Name, std::vector<Overload>> all;
    for (const auto& chapter :
         {arithmetic_functions(), conversion_functions(), time_functions(), text_functions(),
          list_functions(), network_functions(), kubernetes_functions(), format_functions(), authorizer_functions()}) {
      for (const auto& text : chapter) {
        Overload overload = SignatureReader(text.signature).read();
        overload.function = text.function;
        overload.cost = text.cost;
        all[{overload.name, overload.member}].push_back(std::move(overload));
      }
    }
    return all;
  }();
  return built;
}

uint64_t size_of(const Datum& datum) {
  switch (datum.kind()) {
    case Kind::kString:
    case Kind::kBytes:
      return datum.as_text().size();
    case Kind::kList:
    case Kind::kMap:
    case Kind::kObject:
      return datum.size() == 0 ? 0 : datum.parts();
    default:
      return 1;
  }
}

uint64_t tenths(uint64_t size) {
  return (size + 9) / 10;
}

bool is_list(const Datum& datum) {
  return datum.kind() == Kind::kList || datum.kind() == Kind::kMap || datum.kind() == Kind::kObject;
}

uint64_t sum_of_sizes(std::span<const Datum> arguments, bool lists) {
  uint64_t sum = 0;
  for (const auto& argument : arguments) sum += is_list(argument) == lists ? size_of(argument) : 0;
  return sum;
}

}  // namespace

bool Overload::agrees(std::span<const Datum> values) const {
  if (values.size() != arguments.size()) return false;
  for (size_t i = 0; i < values.size(); ++i) {
    const Kind kind = arguments[i].kind();
    if (kind != values[i].kind() && kind != Kind::kDyn && kind != Kind::kParameter) return false;
  }
  return true;
}

std::span<const Overload> find_overloads(std::string_view name, bool member) {
  const auto found = table().find(Name(name, member));
  if (found == table().end()) return {};
  return found->second;
}

bool is_function(std::string_view name) {
  return !find_overloads(name, false).empty() || !find_overloads(name, true).empty();
}

std::string_view find_type_name(std::string_view identifier) {
  static constexpr std::array<std::string_view, 12> kNames = {"bool",
                                                              "int",
                                                              "uint",
                                                              "double",
                                                              "string",
                                                              "bytes",
                                                              "list",
                                                              "map",
                                                              "null_type",
                                                              "type",
                                                              "google.protobuf.Timestamp",
                                                              "google.protobuf.Duration"};
  const auto found = std::ranges::find(kNames, identifier);
  return found == kNames.end() ? std::string_view{} : *found;
}

uint64_t cost_of(const Overload& overload, std::span<const Datum> arguments) {
  switch (overload.cost) {
    case Cost::kOne:
      return 1;
    case Cost::kMakes:
    case Cost::kTraverse:
      return std::max<uint64_t>(
          1, tenths(sum_of_sizes(arguments, false)) + sum_of_sizes(arguments, true));
    case Cost::kReceiver:
      return tenths(size_of(arguments[0]));
    case Cost::kItems:
      return sum_of_sizes(arguments, true);
    case Cost::kProduct:
      return tenths(size_of(arguments[0])) * tenths(size_of(arguments[1]));
    case Cost::kPattern:
      return tenths(size_of(arguments[0]) + 1) * ((size_of(arguments[1]) + 3) / 4);
    case Cost::kSmaller:
      return tenths(std::min(size_of(arguments[0]), size_of(arguments[1])));
    case Cost::kAccess:
      return kAccessCost;
    case Cost::kSets:
      return size_of(arguments[0]) * size_of(arguments[1]);
  }
  return 1;
}

uint64_t cost_of_result(const Overload& overload, const Datum& result) {
  // findAll() of an empty pattern costs nothing by its arguments.
  if (is_list(result))
    return overload.cost == Cost::kMakes || overload.cost == Cost::kPattern ? result.size() : 0;
  return overload.cost == Cost::kMakes ? tenths(size_of(result)) : 0;
}

}  // namespace minik::control::cel
