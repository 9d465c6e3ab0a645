// Validation of API priority and fairness: which requests a FlowSchema means, and what a priority level gives them.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

// ---- FlowSchema ----

constexpr std::string_view kExempt = "exempt";
constexpr std::string_view kAll = "*";

bool names_all(const Value& list) {
  return std::ranges::any_of(list.items(), [](const Value& item) { return item.as_string() == kAll; });
}

// The * stands alone.
void check_all(const Value& list, std::string_view what, const FieldPath& at, FieldErrors& errors) {
  if (list.size() > 1 && names_all(list)) errors.invalid(at, list, cat("if '*' is present, must not specify other ", what));
}

void check_verbs(const Value& verbs, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kVerbs[] = {"create", "delete", "deletecollection", "get",  "list",
                                                "patch",  "proxy",  "update",           "watch"};
  const auto known = [](const Value& verb) { return std::ranges::find(kVerbs, verb.as_string()) != std::end(kVerbs); };
  if (verbs.empty()) {
    errors.required(at, "verbs must contain at least one value");
  } else if (names_all(verbs)) {
    check_all(verbs, "verbs", at, errors);
  } else if (!std::ranges::all_of(verbs.items(), known)) {
    errors.not_supported(at, verbs, kVerbs);
  }
}

void check_resource_rule(const Value& rule, const FieldPath& at, FieldErrors& errors) {
  const FieldPath verbs = at.field("verbs"), groups = at.field("apiGroups"), resources = at.field("resources"),
                  namespaces = at.field("namespaces");
  check_verbs(rule["verbs"], verbs, errors);
  if (rule["apiGroups"].empty()) errors.required(groups, "resource rules must supply at least one api group");
  check_all(rule["apiGroups"], "api groups", groups, errors);
  if (rule["resources"].empty()) errors.required(resources, "resource rules must supply at least one resource");
  check_all(rule["resources"], "resources", resources, errors);
  const Value& homes = rule["namespaces"];
  if (homes.empty() && !rule["clusterScope"].as_bool())
    errors.required(namespaces, "resource rules that are not cluster scoped must supply at least one namespace");
  if (names_all(homes)) return check_all(homes, "namespaces", namespaces, errors);
  for (size_t i = 0; i < homes.size(); ++i) {
    const Value& home = homes.items()[i];
    for (const auto& problem : check_dns_label(home.as_string()))
      errors.invalid(namespaces.index(i), home, cat("each member of this list must be '*' or a DNS-1123 label; ", problem));
  }
}

// What is wrong with a path of which a * at the end stands for all below it; nothing: it is one.
std::string_view url_problem(std::string_view path) {
  if (path.empty()) return "must not be empty";
  if (!path.starts_with('/')) return "must start with slash";
  if (path.find(' ') != std::string_view::npos) return "must not contain white-space";
  if (path.find("//") != std::string_view::npos) return "must not contain double slash";
  const size_t star = path.find('*');
  if (star != std::string_view::npos && (star + 1 != path.size() || !path.ends_with("/*")))
    return "wildcard can only do suffix matching";
  return {};
}

void check_url_rule(const Value& rule, const FieldPath& at, FieldErrors& errors) {
  const FieldPath verbs = at.field("verbs"), list = at.field("nonResourceURLs");
  check_verbs(rule["verbs"], verbs, errors);
  const Value& urls = rule["nonResourceURLs"];
  if (urls.empty()) errors.required(list, "nonResourceURLs must contain at least one value");
  if (names_all(urls)) return check_all(urls, "non-resource URLs", list, errors);
  for (size_t i = 0; i < urls.size(); ++i) {
    const std::string_view problem = url_problem(urls.items()[i].as_string());
    if (!problem.empty()) errors.invalid(list.index(i), urls.items()[i], problem);
  }
}

void check_account(const Value& account, const FieldPath& at, FieldErrors& errors) {
  const Value &name = account[keys::kName], &home = account[keys::kNamespace];
  if (!name.as_string().empty() && name.as_string() != kAll)
    errors.invalid_each(at.field("name"), name, check_dns_subdomain(name.as_string()));
  if (home.as_string().empty()) {
    errors.required(at.field("namespace"), "must specify namespace for service account");
  } else {
    errors.invalid_each(at.field("namespace"), home, check_dns_label(home.as_string()));
  }
}

// A subject has the member that its kind names, and no other.
void check_flow_subject(const Value& subject, const FieldPath& at, FieldErrors& errors) {
  constexpr std::pair<std::string_view, std::string_view> kMembers[] = {
      {"ServiceAccount", "serviceAccount"}, {"User", "user"}, {"Group", "group"}};
  static constexpr std::string_view kKinds[] = {"Group", "ServiceAccount", "User"};
  const Value& kind = subject[keys::kKind];
  if (std::ranges::find(kKinds, kind.as_string()) == std::end(kKinds))
    return errors.not_supported(at.field("kind"), kind.has_value() ? kind : Value(""), kKinds);
  for (const auto& [owner, member] : kMembers) {
    const FieldPath here = at.field(member);
    const bool there = subject.get(member).is_map(), wanted = kind.as_string() == owner;
    if (wanted && !there) errors.required(here, cat(member, " is required when subject kind is '", owner, "'"));
    if (!wanted && there) errors.forbidden(here, cat(member, " is forbidden when subject kind is not '", owner, "'"));
  }
  const FieldPath account = at.field("serviceAccount");
  if (kind.as_string() == "ServiceAccount" && subject["serviceAccount"].is_map())
    check_account(subject["serviceAccount"], account, errors);
}

void check_schema_rule(const Value& rule, const FieldPath& at, FieldErrors& errors) {
  if (rule["subjects"].empty()) errors.required(at.field("subjects"), "subjects must contain at least one value");
  if (rule["resourceRules"].empty() && rule["nonResourceRules"].empty())
    errors.required(at, "at least one of resourceRules and nonResourceRules has to be non-empty");
}

void check_flow_schema(const Value& schema, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kPrecedenceMax = 10'000;
  static constexpr std::string_view kMethods[] = {"ByNamespace", "ByUser"};
  const Value& spec = schema[keys::kSpec];
  const FieldPath here = at.field("spec");
  const FieldPath precedence_at = here.field("matchingPrecedence");
  const Value& precedence = spec["matchingPrecedence"];
  if (precedence.as_int() <= 0) errors.invalid(precedence_at, precedence, "must be a positive value");
  if (precedence.as_int() > kPrecedenceMax)
    errors.invalid(precedence_at, precedence, cat("must not be greater than ", kPrecedenceMax));
  if (precedence.as_int() == 1 && schema[keys::kMetadata][keys::kName].as_string() != kExempt)
    errors.invalid(precedence_at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
  const Value& method = spec["distinguisherMethod"];
  if (method.is_map() && std::ranges::find(kMethods, method[keys::kType].as_string()) == std::end(kMethods))
    errors.not_supported(here.field("distinguisherMethod.type"), method, kMethods);
  const Value& level = spec["priorityLevelConfiguration"][keys::kName];
  const FieldPath level_at = here.field("priorityLevelConfiguration.name");
  if (level.as_string().empty()) {
    errors.required(level_at, "must reference a priority level");
  } else {
    errors.invalid_each(level_at, level, check_dns_subdomain(level.as_string()));
  }
}

// ---- PriorityLevelConfiguration ----

void check_level(const Value& level, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kTypes[] = {"Exempt", "Limited"};
  const Value& spec = level[keys::kSpec];
  const FieldPath here = at.field("spec");
  const Value& type = spec[keys::kType];
  const bool exempt = type.as_string() == "Exempt", limited = type.as_string() == "Limited";
  if ((level[keys::kMetadata][keys::kName].as_string() == kExempt) != exempt)
    errors.invalid(here.field("type"), type.has_value() ? type : Value(""), "type must be 'Exempt' if and only if name is 'exempt'");
  if (!exempt && !limited) return errors.not_supported(here.field("type"), type.has_value() ? type : Value(""), kTypes);
  if (exempt && spec["limited"].is_map()) errors.forbidden(here.field("limited"), "must be nil if the type is not Limited");
  if (limited && spec["exempt"].is_map()) errors.forbidden(here.field("exempt"), "must be nil if the type is Limited");
  if (limited && !spec["limited"].is_map()) errors.required(here.field("limited"), "must not be empty when type is Limited");
}

// Of a level with a limit and of one without.
void check_shares(const Value& share, const FieldPath& at, FieldErrors& errors) {
  const Value &shares = share["nominalConcurrencyShares"], &percent = share["lendablePercent"], &most = share["borrowingLimitPercent"];
  if (shares.as_int() < 0) errors.invalid(at.field("nominalConcurrencyShares"), shares, "must be a non-negative integer");
  if (percent.as_int() < 0 || percent.as_int() > 100)
    errors.invalid(at.field("lendablePercent"), percent, "must be between 0 and 100, inclusive");
  if (most.as_int() < 0) errors.invalid(at.field("borrowingLimitPercent"), most, "if specified, must be a non-negative integer");
}

void check_limit_response(const Value& response, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kTypes[] = {"Queue", "Reject"};
  const Value& type = response[keys::kType];
  const FieldPath queuing = at.field("queuing");
  const bool queues = response["queuing"].is_map();
  if (std::ranges::find(kTypes, type.as_string()) == std::end(kTypes))
    return errors.not_supported(at.field("type"), type.has_value() ? type : Value(""), kTypes);
  if (type.as_string() == "Reject" && queues)
    errors.forbidden(queuing, "must be nil if limited.limitResponse.type is not Limited");
  if (type.as_string() == "Queue" && !queues)
    errors.required(queuing, "must not be empty if limited.limitResponse.type is Limited");
}

void check_limited(const Value& limited, const FieldPath& at, FieldErrors& errors) {
  check_shares(limited, at, errors);
  const FieldPath response = at.field("limitResponse");
  if (!limited["limitResponse"].is_map()) check_limit_response(limited["limitResponse"], response, errors);
}

// Whether a hash of so many bits can deal a hand from the deck: deck to the power of hand is at most 2 to that of bits.
bool can_deal(int64_t deck, int64_t hand, int bits) {
  const int64_t most = int64_t{1} << bits;
  int64_t hands = 1;
  for (int64_t card = 0; card < hand && deck > 1; ++card) {
    if (hands > most / deck) return false;
    hands *= deck;
  }
  return true;
}

void check_queuing(const Value& queuing, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kQueuesMax = 10'000'000;
  constexpr int kHashBits = 60;
  const Value &queues = queuing["queues"], &hand = queuing["handSize"], &length = queuing["queueLengthLimit"];
  if (length.as_int() <= 0) errors.invalid(at.field("queueLengthLimit"), length, "must be positive");
  const FieldPath queues_at = at.field("queues"), hand_at = at.field("handSize");
  if (queues.as_int() <= 0) {
    errors.invalid(queues_at, queues, "must be positive");
  } else if (queues.as_int() > kQueuesMax) {
    errors.invalid(queues_at, queues, cat("must not be greater than ", kQueuesMax));
  }
  if (hand.as_int() <= 0) {
    errors.invalid(hand_at, hand, "must be positive");
  } else if (hand.as_int() > queues.as_int()) {
    errors.invalid(hand_at, hand, cat("should not be greater than queues (", queues.as_int(), ")"));
  } else if (!can_deal(queues.as_int(), hand.as_int(), kHashBits)) {
    errors.invalid(hand_at, hand,
                   cat("required entropy bits of deckSize ", queues.as_int(), " and handSize ", hand.as_int(),
                       " should not be greater than ", kHashBits));
  }
}

constexpr NamedCheckRule kFlowControlRules[] = {
    {"flowcontrol", "FlowSchema", check_flow_schema},
    {"flowcontrol", "PolicyRulesWithSubjects", check_schema_rule},
    {"flowcontrol", "Subject", check_flow_subject},
    {"flowcontrol", "ResourcePolicyRule", check_resource_rule},
    {"flowcontrol", "NonResourcePolicyRule", check_url_rule},
    {"flowcontrol", "PriorityLevelConfiguration", check_level},
    {"flowcontrol", "ExemptPriorityLevelConfiguration", check_shares},
    {"flowcontrol", "LimitedPriorityLevelConfiguration", check_limited},
    {"flowcontrol", "LimitResponse", check_limit_response},
    {"flowcontrol", "QueuingConfiguration", check_queuing},
};

}  // namespace

std::span<const NamedCheckRule> flow_control_rules() {
  return kFlowControlRules;
}

}  // namespace minik::control
