#include "control/api/options.h"

#include <algorithm>
#include <span>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kDryRuns[] = {"All"};
constexpr std::string_view kValidations[] = {"Ignore", "Strict", "Warn"};
constexpr std::string_view kPropagations[] = {"Background", "Foreground", "Orphan"};
constexpr std::string_view kMatches[] = {"Exact", "NotOlderThan"};

std::string_view options_kind(Verb verb) {
  switch (verb) {
    case Verb::kCreate:
      return "CreateOptions";
    case Verb::kUpdate:
      return "UpdateOptions";
    case Verb::kPatch:
      return "PatchOptions";
    case Verb::kDelete:
    case Verb::kDeleteCollection:
      return "DeleteOptions";
    default:
      return "ListOptions";
  }
}

Error invalid_option(Verb verb, std::string_view field, std::string_view reason,
                     std::string_view message) {
  Error error(ErrorCode::kInvalid,
              cat(options_kind(verb), ".meta.k8s.io \"\" is invalid: ", field, ": ", message));
  error.causes.push_back({std::string(reason), std::string(message), std::string(field)});
  return error;
}

Status check_one_of(Verb verb, std::string_view field, std::string_view value,
                    std::span<const std::string_view> known) {
  if (std::ranges::find(known, value) != known.end()) return {};
  std::vector<std::string> choices;
  for (const auto choice : known) choices.push_back(quoted(choice));
  return invalid_option(
      verb, field, "FieldValueNotSupported",
      cat("Unsupported value: ", quoted(value), ": supported values: ", join(choices, ", ")));
}

Error forbidden_option(Verb verb, std::string_view field, std::string_view why) {
  return invalid_option(verb, field, "FieldValueForbidden", cat("Forbidden: ", why));
}

PropagationPolicy propagation_of(std::string_view known) {
  return known == "Orphan"       ? PropagationPolicy::kOrphan
         : known == "Foreground" ? PropagationPolicy::kForeground
                                 : PropagationPolicy::kBackground;
}

// The older way to say it. False is a choice as well: a Job's pods would stay without one.
PropagationPolicy propagation_by_orphaning(bool orphan_dependents) {
  return orphan_dependents ? PropagationPolicy::kOrphan : PropagationPolicy::kBackground;
}

Error propagates_twice(std::string_view policy) {
  return invalid_option(Verb::kDelete, "propagationPolicy", "FieldValueInvalid",
                        cat("Invalid value: ", quoted(policy), ": orphanDependents and deletionPropagation cannot be both set"));
}

// Which version a list or a watch starts from can be said in several ways that exclude each other.
Status check_combination(Verb verb, const RequestOptions& options) {
  constexpr std::string_view kField = "resourceVersionMatch";
  const auto& match = options.resource_version_match;
  const bool initial = options.send_initial_events.has_value();
  if (verb == Verb::kWatch) {
    if (initial && match != "NotOlderThan") {
      return forbidden_option(
          verb, kField, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    if (!initial && !match.empty()) {
      return forbidden_option(
          verb, kField,
          "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    }
    return {};
  }
  if (verb != Verb::kList && verb != Verb::kDeleteCollection) return {};
  if (initial)
    return forbidden_option(verb, "sendInitialEvents", "sendInitialEvents is forbidden for list");
  if (match.empty()) return {};
  MINIK_TRY(check_one_of(verb, kField, match, kMatches));
  if (options.resource_version.empty()) {
    return forbidden_option(verb, kField,
                            "resourceVersionMatch is forbidden unless resourceVersion is provided");
  }
  if (!options.continue_token.empty()) {
    return forbidden_option(verb, kField,
                            "resourceVersionMatch is forbidden when continue is provided");
  }
  if (match == "Exact" && options.resource_version == "0") {
    return forbidden_option(
        verb, kField, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  }
  return {};
}

// A name that managedFields can carry.
Status check_manager(Verb verb, const std::string& manager) {
  if (manager.size() > kManagerBytesMax) {
    return invalid_option(verb, "fieldManager", "FieldValueTooLong", "Too long: may not be more than 128 bytes");
  }
  const bool printable = std::ranges::none_of(manager, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (printable) return {};
  return invalid_option(verb, "fieldManager", "FieldValueInvalid",
                        cat("Invalid value: ", quoted(manager), ": should only contain printable characters"));
}

Status read_number(std::string_view name, const std::string& text, int64_t& into) {
  const auto parsed = parse_int64(text);
  if (!parsed) return Error(ErrorCode::kBadRequest, cat("invalid ", name, " ", quoted(text)));
  into = *parsed;
  return {};
}

}  // namespace

Status read_options(Verb verb, const QueryParameters& parameters, RequestOptions& options) {
  const bool orphaning = std::ranges::any_of(
      parameters, [](const auto& parameter) { return parameter.first == "orphanDependents" && !parameter.second.empty(); });
  for (const auto& [name, value] : parameters) {
    if (name == "labelSelector") options.label_selector = value;
    if (name == "fieldSelector") options.field_selector = value;
    if (name == "limit") MINIK_TRY(read_number(name, value, options.limit));
    if (name == "continue") options.continue_token = value;
    if (name == "resourceVersion") options.resource_version = value;
    if (name == "resourceVersionMatch") options.resource_version_match = value;
    if (name == "allowWatchBookmarks") options.allow_watch_bookmarks = query_truth(value);
    if (name == "sendInitialEvents") options.send_initial_events = query_truth(value);
    if (name == "timeoutSeconds") MINIK_TRY(read_number(name, value, options.timeout_seconds));
    if (name == "fieldManager") options.field_manager = value;
    if (name == "force") options.force = query_truth(value);
    if (name == "dryRun" && !value.empty()) {
      MINIK_TRY(check_one_of(verb, name, value, kDryRuns));
      options.dry_run = true;
    }
    if (name == "fieldValidation" && !value.empty()) {
      MINIK_TRY(check_one_of(verb, name, value, kValidations));
      options.field_validation = value == "Strict"   ? FieldValidation::kStrict
                                 : value == "Ignore" ? FieldValidation::kIgnore
                                                     : FieldValidation::kWarn;
    }
    if (name == "gracePeriodSeconds") {
      int64_t grace = 0;
      MINIK_TRY(read_number(name, value, grace));
      options.grace_period_seconds = grace;
    }
    if (name == "propagationPolicy" && !value.empty()) {
      MINIK_TRY(check_one_of(verb, name, value, kPropagations));
      if (orphaning) return propagates_twice(value);
      options.propagation = propagation_of(value);
    }
    if (name == "orphanDependents" && !value.empty()) options.propagation = propagation_by_orphaning(query_truth(value));
  }
  MINIK_TRY(check_manager(verb, options.field_manager));
  return check_combination(verb, options);
}

bool query_truth(std::string_view value) { return value != "0" && to_lower(value) != "false"; }

bool query_flag(const QueryParameters& parameters, std::string_view name) {
  const auto found = std::ranges::find(parameters, name, &QueryParameters::value_type::first);
  return found != parameters.end() && query_truth(found->second);
}

Status check_patch_options(PatchType type, const RequestOptions& options) {
  if (type == PatchType::kApply || !options.force) return {};
  return forbidden_option(Verb::kPatch, "force", "may not be specified for non-apply patch");
}

Status read_delete_options(const Value& body, RequestOptions& options) {
  if (body[keys::kGracePeriodSeconds].is_int()) {
    options.grace_period_seconds = body[keys::kGracePeriodSeconds].as_int();
  }
  const auto policy = body[keys::kPropagationPolicy].as_string();
  if (!policy.empty()) {
    MINIK_TRY(check_one_of(Verb::kDelete, "propagationPolicy", policy, kPropagations));
    if (body[keys::kOrphanDependents].has_value()) return propagates_twice(policy);
    options.propagation = propagation_of(policy);
  }
  if (body[keys::kOrphanDependents].is_bool()) {
    options.propagation = propagation_by_orphaning(body[keys::kOrphanDependents].as_bool());
  }
  options.preconditions.uid = body[keys::kPreconditions][keys::kUid].string();
  options.preconditions.resource_version =
      body[keys::kPreconditions][keys::kResourceVersion].string();
  for (const auto& dry_run : body[keys::kDryRun].items()) {
    MINIK_TRY(check_one_of(Verb::kDelete, "dryRun", dry_run.as_string(), kDryRuns));
    options.dry_run = true;
  }
  return {};
}

}  // namespace minik::control
