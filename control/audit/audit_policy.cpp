#include "control/audit/audit_policy.h"

#include <algorithm>
#include <array>
#include <optional>

#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr std::array<std::string_view, 4> kLevels = {"None", "Metadata", "Request", "RequestResponse"};
constexpr std::array<std::string_view, 4> kStages = {"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"};
constexpr size_t kRulesMax = 1000;

bool has(const std::vector<std::string>& list, std::string_view wanted) {
  return std::ranges::find(list, wanted) != list.end();
}

bool names_path(std::string_view pattern, std::string_view path) {
  return pattern == "*" || pattern == path ||
         (pattern.ends_with('*') && path.starts_with(pattern.substr(0, pattern.size() - 1)));
}

// "pods", "pods/log", "*", "*/scale", "pods/*".
bool names_resource(std::string_view pattern, const Attributes& asked) {
  const std::string whole = asked.subresource.empty() ? std::string(asked.resource) : cat(asked.resource, "/", asked.subresource);
  if (pattern == "*" || pattern == whole) return true;
  if (!asked.subresource.empty() && pattern == cat("*/", asked.subresource)) return true;
  return pattern == cat(asked.resource, "/*");
}

}  // namespace

std::string_view audit_level_name(AuditLevel level) { return kLevels[static_cast<size_t>(level)]; }
std::string_view audit_stage_name(AuditStage stage) { return kStages[static_cast<size_t>(stage)]; }

// Reads the document field by field; the first mistake is kept and ends the rest.
class AuditPolicy::Reader {
 public:
  Reader(const std::map<std::string, int>& lines, std::string_view file) : lines_(lines), file_(file) {}

  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }

  void fail(const std::string& at, std::string_view why) {
    if (error_) return;
    const auto line = lines_.find(at);
    const auto place = line == lines_.end() ? std::string(file_) : cat(file_, ":", line->second);
    error_ = Error(ErrorCode::kInvalid, cat(place, ": ", at, at.empty() ? "" : ": ", why));
  }

  void only(const Value& map, const std::string& at, std::initializer_list<std::string_view> known) {
    if (!map.is_map()) return fail(at, "must be a map");
    for (const auto& [key, value] : map.entries()) {
      if (std::ranges::find(known, key.text()) == known.end()) return fail(child(at, key.text()), "unknown field");
    }
  }

  std::vector<std::string> texts(const Value& map, const std::string& at, std::string_view name) {
    const Value& list = map.get(name);
    std::vector<std::string> all;
    if (!list.has_value()) return all;
    if (!list.is_array()) fail(child(at, name), "must be a list");
    for (const auto& item : list.items()) {
      if (!item.is_string()) fail(child(at, name), "must be a list of texts");
      all.push_back(item.string());
    }
    return all;
  }

  bool flag(const Value& map, const std::string& at, std::string_view name, bool otherwise) {
    const Value& value = map.get(name);
    if (!value.has_value()) return otherwise;
    if (!value.is_bool()) fail(child(at, name), "must be true or false");
    return value.as_bool();
  }

  uint8_t stages(const Value& map, const std::string& at) {
    uint8_t bits = 0;
    for (const auto& name : texts(map, at, "omitStages")) {
      const auto found = std::ranges::find(kStages, name);
      if (found == kStages.end()) {
        fail(child(at, "omitStages"), cat("unknown stage ", quoted(name), "; there are RequestReceived, ResponseStarted, "
                                                                          "ResponseComplete and Panic"));
      } else {
        bits = static_cast<uint8_t>(bits | 1U << (found - kStages.begin()));
      }
    }
    return bits;
  }

  Rule rule(const Value& map, const std::string& at, const AuditChoice& otherwise) {
    only(map, at, {"level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages",
                   "omitManagedFields"});
    Rule rule;
    const auto level = std::ranges::find(kLevels, map.get("level").as_string());
    if (level == kLevels.end()) {
      fail(child(at, "level"), "must be None, Metadata, Request or RequestResponse");
      return rule;
    }
    rule.choice.level = static_cast<AuditLevel>(level - kLevels.begin());
    rule.choice.omitted_stages = static_cast<uint8_t>(stages(map, at) | otherwise.omitted_stages);
    rule.choice.omit_managed_fields = flag(map, at, "omitManagedFields", otherwise.omit_managed_fields);
    rule.users = texts(map, at, "users");
    rule.groups = texts(map, at, "userGroups");
    rule.verbs = texts(map, at, "verbs");
    rule.namespaces = texts(map, at, "namespaces");
    rule.paths = texts(map, at, "nonResourceURLs");
    read_resources(map.get("resources"), child(at, "resources"), rule);
    if (!rule.paths.empty() && (!rule.resources.empty() || !rule.namespaces.empty()))
      fail(child(at, "nonResourceURLs"), "rules cannot apply to both regular resources and non-resource URLs");
    return rule;
  }

  static std::string child(const std::string& at, std::string_view name) {
    return at.empty() ? std::string(name) : cat(at, ".", name);
  }

 private:
  void read_resources(const Value& list, const std::string& at, Rule& rule) {
    if (list.has_value() && !list.is_array()) fail(at, "must be a list");
    for (size_t i = 0; i < list.items().size(); ++i) {
      const Value& one = list.items()[i];
      const auto here = cat(at, "[", i, "]");
      only(one, here, {"group", "resources", "resourceNames"});
      GroupResources resources{one.get("group").string(), texts(one, here, "resources"), texts(one, here, "resourceNames")};
      if (!resources.names.empty() && resources.resources.empty())
        fail(child(here, "resourceNames"), "using resourceNames requires at least one resource");
      rule.resources.push_back(std::move(resources));
    }
  }

  const std::map<std::string, int>& lines_;
  std::string_view file_;
  std::optional<Error> error_;
};

Result<AuditPolicy> AuditPolicy::from(const Value& document, const std::map<std::string, int>& lines, std::string_view file) {
  Reader reader(lines, file);
  reader.only(document, "", {"apiVersion", "kind", "metadata", "omitStages", "omitManagedFields", "rules"});
  if (document.get("kind").as_string() != "Policy") reader.fail("kind", "must be Policy");
  if (document.get("apiVersion").as_string() != "audit.k8s.io/v1") reader.fail("apiVersion", "must be audit.k8s.io/v1");
  AuditChoice otherwise;
  otherwise.omitted_stages = reader.stages(document, "");
  otherwise.omit_managed_fields = reader.flag(document, "", "omitManagedFields", false);
  const Value& rules = document.get("rules");
  if (rules.empty()) reader.fail("rules", "there must be at least one rule");
  if (rules.size() > kRulesMax) reader.fail("rules", cat("there may be ", kRulesMax, " rules"));
  AuditPolicy policy;
  for (size_t i = 0; i < rules.items().size() && !reader.failed(); ++i)
    policy.rules_.push_back(reader.rule(rules.items()[i], cat("rules[", i, "]"), otherwise));
  if (reader.failed()) return reader.error();
  return policy;
}

bool AuditPolicy::Rule::fits_resource(const Attributes& asked) const {
  if (!asked.path.empty()) return false;
  if (!namespaces.empty() && !has(namespaces, asked.namespace_)) return false;
  if (resources.empty()) return true;
  return std::ranges::any_of(resources, [&](const GroupResources& of) {
    if (of.group != asked.group) return false;
    if (of.resources.empty()) return true;
    if (!of.names.empty() && !has(of.names, asked.name)) return false;
    return std::ranges::any_of(of.resources, [&](const std::string& pattern) { return names_resource(pattern, asked); });
  });
}

bool AuditPolicy::Rule::fits(const UserInfo& user, const Attributes& asked) const {
  if (!users.empty() && !has(users, user.name)) return false;
  if (!groups.empty() && std::ranges::none_of(user.groups, [&](const auto& g) { return has(groups, g); })) return false;
  if (!verbs.empty() && !has(verbs, asked.verb)) return false;
  if (!namespaces.empty() || !resources.empty()) return fits_resource(asked);
  if (paths.empty()) return true;
  return !asked.path.empty() && std::ranges::any_of(paths, [&](const auto& pattern) { return names_path(pattern, asked.path); });
}

AuditChoice AuditPolicy::choose(const UserInfo& user, const Attributes& asked) const {
  for (const auto& rule : rules_) {
    if (rule.fits(user, asked)) return rule.choice;
  }
  return {};
}

}  // namespace minik::control
